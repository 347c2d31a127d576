"""Studies: one YAML a study beside this module, and the loader that validates them."""

from studies.loader import find_study, load_studies, load_study
from studies.study import Study, Task

__all__ = ["Study", "Task", "find_study", "load_studies", "load_study"]
