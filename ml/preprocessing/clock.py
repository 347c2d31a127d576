"""The uniform clock that every stream of a recording is brought to, in exact integers.

Belongs here: which instant a tick is, and which tick an instant falls on. Values on those ticks are in `resampling`.
Tick ``k`` is at ``origin_ns + round(k × 10⁹ / rate_hz)``, so two streams with the same origin and rate share their ticks,
and no error grows with the length of a recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

_SECOND_NS = 10**9
_HIGHEST_HZ = 1e6
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
    >>> clock.ticks(np.array([1, 60])).tolist()
    [1700000000016666668, 1700000001000000001]
    >>> clock.at_or_after(np.array([1_700_000_000_016_666_669])).tolist()
    [2]
    """

    period_ns: Fraction
    origin_ns: int

    @classmethod
    def of(cls, rate_hz: float, *, origin_ns: int) -> Clock:
        """Return the clock of a rate, taken as the decimal that it prints as: 52.71 is 5271/100.

        Raises
        ------
        ValueError
            If the rate is not above 0 and at most 1 MHz.
        """
        rate = float(rate_hz)
        if not 0 < rate <= _HIGHEST_HZ:
            raise ValueError(f"rate_hz is {rate_hz}; a clock needs a rate above 0 and at most 1e6 Hz")
        return cls(_SECOND_NS / Fraction(repr(rate)), int(origin_ns))

    def finer(self, factor: int) -> Clock:
        """Return the clock with `factor` ticks for each of this one's."""
        return Clock(self.period_ns / factor, self.origin_ns)

    def instant(self, step: int) -> Fraction:
        """Return the time of a tick before it is rounded, in ns."""
        return self.origin_ns + step * self.period_ns

    def ticks(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the times of ticks, rounded to whole ns, a half to the even neighbour.

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
        run = max(1, _ROOM // below)  # so many ticks can be multiplied in int64, the start of each run in Python's integers
        number, place = np.divmod(steps, run)
        first, of_run = (number[:1], 0) if len(number) and (number == number[0]).all() else np.unique(number, return_inverse=True)
        starts = [divmod(each * run * part, below) for each in first.tolist()]
        start, rest = np.array(starts, np.int64).reshape(-1, 2).T
        carried, over = np.divmod(rest[of_run] + place * part, below)
        floor = steps * whole + start[of_run] + carried
        up = (2 * over > below) | ((2 * over == below) & (floor % 2 == 1))
        return self.origin_ns + floor + up

    def at_or_after(self, t_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the first tick that is not before each instant, for int64 ns of shape (n,)."""
        near = self._near(t_ns)
        return near - 1 + (self.ticks(near - 1) < t_ns) + (self.ticks(near) < t_ns)

    def at_or_before(self, t_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the last tick that is not after each instant, for int64 ns of shape (n,)."""
        near = self._near(t_ns)
        return near + 1 - (self.ticks(near + 1) > t_ns) - (self.ticks(near) > t_ns)

    def nearest(self, t_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the tick nearest to each instant, of two as near the earlier, for int64 ns of shape (n,)."""
        before = self.at_or_before(t_ns)
        return before + (t_ns - self.ticks(before) > self.ticks(before + 1) - t_ns)

    def _near(self, t_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """A tick less than one period away. The first guess may miss by more, where a span has more ns than float64 holds."""
        period = float(self.period_ns)
        guess = np.rint((t_ns - self.origin_ns) / period).astype(np.int64)
        return guess + np.rint((t_ns - self.ticks(guess)) / period).astype(np.int64)
