"""What changes a program, and typed readers of its frozen versions."""

from programs.services.deletion import (
    DeletionPreview,
    Removed,
    delete_program,
    preview_deletion,
    register_deletion,
    take_out,
)
from programs.services.errors import OperationsInFlightError, ProgramNotFoundError, StaleProgramError
from programs.services.rehearsal import Rehearsal, rehearse_program
from programs.services.saving import save_program, set_status
from programs.services.templates import TEMPLATES, ProgramTemplate
from programs.services.versions import (
    PhaseTerms,
    all_phase_terms,
    current_version,
    next_phase_terms,
    phase_terms,
    terms_of,
)

__all__ = [
    "TEMPLATES",
    "DeletionPreview",
    "OperationsInFlightError",
    "PhaseTerms",
    "ProgramNotFoundError",
    "ProgramTemplate",
    "Rehearsal",
    "Removed",
    "StaleProgramError",
    "all_phase_terms",
    "current_version",
    "delete_program",
    "next_phase_terms",
    "phase_terms",
    "preview_deletion",
    "register_deletion",
    "rehearse_program",
    "save_program",
    "set_status",
    "take_out",
    "terms_of",
]
