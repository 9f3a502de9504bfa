"""What this machine has for swapfast, what each missing thing would give, and how to get it.

- ``examine(host)``: a ``Diagnosis``: a ``Finding`` for each thing.

Every question is put to the code that needs the thing; nothing on the machine is changed.
"""

from swapfast.doctor.examine import examine
from swapfast.doctor.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "examine"]
