from billing.models.approvals import RewardApproval
from billing.models.contracts import Basis, Contract, ContractComponent, ContractVersion, FeeBearer, TermsNotice
from billing.models.documents import (
    Document,
    DocumentFile,
    DocumentLine,
    DocumentSeries,
    DocumentStatus,
    DocumentType,
    FileAttempt,
    FileKind,
    LineComponent,
    LineKind,
    LineReason,
)
from billing.models.journal import JournalEntry, JournalTx, LedgerAccount
from billing.models.omissions import OmissionPass
from billing.models.payments import Allocation, DocumentMove, DocumentOpen, Fund, PaidBy, PaymentTerms, Source

__all__ = [
    "Allocation",
    "Basis",
    "Contract",
    "ContractComponent",
    "ContractVersion",
    "Document",
    "DocumentFile",
    "DocumentLine",
    "DocumentMove",
    "DocumentOpen",
    "DocumentSeries",
    "DocumentStatus",
    "DocumentType",
    "FeeBearer",
    "FileAttempt",
    "FileKind",
    "Fund",
    "JournalEntry",
    "JournalTx",
    "LedgerAccount",
    "LineComponent",
    "LineKind",
    "LineReason",
    "OmissionPass",
    "PaidBy",
    "PaymentTerms",
    "RewardApproval",
    "Source",
    "TermsNotice",
]
