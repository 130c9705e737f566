from mining.models.accounts import Credential, MiningAccount, PoolIntent
from mining.models.fleet import HashratePoint
from mining.models.rewards import QuarantinedRecord, Reward, RewardObservation
from mining.models.runs import SyncRun

__all__ = [
    "Credential",
    "HashratePoint",
    "MiningAccount",
    "PoolIntent",
    "QuarantinedRecord",
    "Reward",
    "RewardObservation",
    "SyncRun",
]
