"""The uniform clock that every stream of a recording is brought to, in exact integers.

Belongs here: which instant a tick is, and which tick an instant falls on. Values on those ticks are in `resampling`.
Tick ``k`` is at ``origin_ns + round(k × 10⁹ / rate_hz)``, so two streams with the same origin and rate share their ticks,
and no error grows with the length of a recording.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

_SECOND_NS = 10**9
_ROOM = 2**62  # products of ticks and fractions stay below it, so int64 never overflows


@dataclass(frozen=True)
class Clock:
    """A uniform clock.

    Parameters
    ----------
    period_ns : Fraction
        Time between two ticks, in ns, exact.
    origin_ns : int
        Time of tick 0, ns since 1970 UTC.

    Examples
    --------
    >>> clock = Clock.of(60, origin_ns=1_700_000_000_000_000_001)
    >>> clock.tick(1), clock.tick(60)
    (1700000000016666668, 1700000001000000001)
    >>> clock.at_or_after(1_700_000_000_016_666_669)
    2
    """

    period_ns: Fraction
    origin_ns: int

    @classmethod
    def of(cls, rate_hz: float, *, origin_ns: int) -> Clock:
        """Return the clock of a rate, taken as the decimal that it prints as: 52.71 is 5271/100.

        Raises
        ------
        ValueError
            If the rate is not above 0 and at most 10⁹ Hz.
        """
        rate = float(rate_hz)
        if not 0 < rate <= _SECOND_NS:
            raise ValueError(f"rate_hz is {rate_hz}; a clock needs a rate above 0 and at most 1e9 Hz")
        return cls(_SECOND_NS / Fraction(repr(rate)), int(origin_ns))

    def finer(self, factor: int) -> Clock:
        """Return the clock with `factor` ticks for each of this one's."""
        return Clock(self.period_ns / factor, self.origin_ns)

    def instant(self, step: int) -> Fraction:
        """Return the time of a tick before it is rounded, in ns."""
        return self.origin_ns + step * self.period_ns

    def tick(self, step: int) -> int:
        """Return the time of a tick, in ns; a half goes to the even neighbour."""
        return round(self.instant(step))

    def at_or_after(self, t_ns: int) -> int:
        """Return the first tick that is not before an instant."""
        step = math.ceil((t_ns - self.origin_ns) / self.period_ns)
        return step - 1 if self.tick(step - 1) >= t_ns else step + int(self.tick(step) < t_ns)

    def at_or_before(self, t_ns: int) -> int:
        """Return the last tick that is not after an instant."""
        step = math.floor((t_ns - self.origin_ns) / self.period_ns)
        return step + 1 if self.tick(step + 1) <= t_ns else step - int(self.tick(step) > t_ns)

    def ticks(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the times of ticks, exactly as `tick` does for each.

        Parameters
        ----------
        steps : ndarray of int64, shape (n,)

        Returns
        -------
        ndarray of int64, shape (n,)
            Ns since 1970 UTC.
        """
        below = self.period_ns.denominator
        whole, part = divmod(self.period_ns.numerator, below)
        run = max(1, _ROOM // below)
        runs, of_run = np.unique(steps // run, return_inverse=True)
        starts = [divmod(number * run * part, below) for number in runs.tolist()]
        start, rest = np.array(starts, np.int64).reshape(-1, 2).T
        carried, over = np.divmod(rest[of_run] + steps % run * part, below)
        floor = steps * whole + start[of_run] + carried
        up = (2 * over > below) | ((2 * over == below) & (floor % 2 == 1))
        return self.origin_ns + floor + up
