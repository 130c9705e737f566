from mining.models.accounts import Credential, MiningAccount, PoolIntent
from mining.models.alerts import Alert
from mining.models.fleet import HashratePoint
from mining.models.links import LinkLifetime, LinkPermission, WatcherLink
from mining.models.logins import PoolLogin
from mining.models.payouts import PayoutAgreement
from mining.models.rewards import QuarantinedRecord, Reward, RewardObservation
from mining.models.runs import SyncRun

__all__ = [
    "Alert",
    "Credential",
    "HashratePoint",
    "LinkLifetime",
    "LinkPermission",
    "MiningAccount",
    "PayoutAgreement",
    "PoolIntent",
    "PoolLogin",
    "QuarantinedRecord",
    "Reward",
    "RewardObservation",
    "SyncRun",
    "WatcherLink",
]
