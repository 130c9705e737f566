from billing.models.contracts import Contract, ContractComponent, ContractVersion
from billing.models.documents import Document, DocumentFile, DocumentLine, DocumentSeries
from billing.models.journal import JournalEntry, JournalTx, LedgerAccount

__all__ = [
    "Contract",
    "ContractComponent",
    "ContractVersion",
    "Document",
    "DocumentFile",
    "DocumentLine",
    "DocumentSeries",
    "JournalEntry",
    "JournalTx",
    "LedgerAccount",
]
