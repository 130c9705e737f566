from mining.models.accounts import Credential, MiningAccount, PoolIntent
from mining.models.alerts import Alert, AlertKind, AlertRule, AlertWishes
from mining.models.coverage import Coverage, Covered, OpenCoverage
from mining.models.fleet import Counts, HashratePoint, HashratePoint5m, HashratePoint24h, Outage, Worker
from mining.models.links import LinkLifetime, LinkPermission, WatcherLink
from mining.models.logins import PoolLogin
from mining.models.payouts import PayoutAgreement
from mining.models.rewards import QuarantinedRecord, Reward, RewardObservation
from mining.models.runs import SyncRun
from mining.models.uptime import Basis, Exclusion, ExpectedWorkers, FleetSettings, UptimeDay

__all__ = [
    "Alert",
    "AlertKind",
    "AlertRule",
    "AlertWishes",
    "Basis",
    "Counts",
    "Coverage",
    "Covered",
    "Credential",
    "Exclusion",
    "ExpectedWorkers",
    "FleetSettings",
    "HashratePoint",
    "HashratePoint5m",
    "HashratePoint24h",
    "LinkLifetime",
    "LinkPermission",
    "MiningAccount",
    "OpenCoverage",
    "Outage",
    "PayoutAgreement",
    "PoolIntent",
    "PoolLogin",
    "QuarantinedRecord",
    "Reward",
    "RewardObservation",
    "SyncRun",
    "UptimeDay",
    "WatcherLink",
    "Worker",
]
