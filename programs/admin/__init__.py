"""Admin pages of programs. A program is saved as one aggregate, by the service that the API uses too."""

from programs.admin.history import DeletionRecordAdmin, ProgramVersionAdmin
from programs.admin.programs import ProgramAdmin

__all__ = ["DeletionRecordAdmin", "ProgramAdmin", "ProgramVersionAdmin"]
