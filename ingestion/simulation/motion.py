"""A body segment in motion, and what a rigid point of it feels: rotation, angular rate, acceleration.

Belongs here: kinematics only. Which movement is made is in `exercises`, what a sensor makes of it in `sensing`.

World axes: x ahead of the person, y to the left, z up. Segment axes are the same when the person stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline, CubicSpline, make_interp_spline
from scipy.spatial.transform import Rotation

Floats = npt.NDArray[np.float64]

#: Rate of the grid on which movements are drawn, in Hz; nothing in them is faster than 25 Hz.
GRID_HZ = 200.0
#: Standard gravity, m/s².
G = 9.80665


@dataclass(frozen=True)
class Course:
    """Where a segment goes.

    Parameters
    ----------
    t_s : ndarray of float64, shape (n,)
        Uniform grid of `GRID_HZ`, in seconds from the recording's start.
    position_m : ndarray of float64, shape (n, 3)
        Its joint (the hip) in the world.
    angles : ndarray of float64, shape (n, 3)
        Roll, pitch and yaw in rad: rotation about z by yaw, then about the new y by pitch, then about the new x by roll.
    """

    t_s: Floats
    position_m: Floats
    angles: Floats

    @cached_property
    def _position(self) -> BSpline:
        return make_interp_spline(self.t_s, self.position_m, k=5)

    @cached_property
    def _angles(self) -> BSpline:
        return make_interp_spline(self.t_s, self.angles, k=5)

    def rotation(self, at_s: Floats) -> Rotation:
        """Rotation from segment to world axes at each of the n times `at_s`."""
        return Rotation.from_euler("ZYX", self._angles(at_s)[:, ::-1])

    def angular_rate(self, at_s: Floats) -> Floats:
        """Angular rate in segment axes, rad/s, shape (n, 3)."""
        return _body_rate(self._angles(at_s), self._angles(at_s, 1))

    def angular_acceleration(self, at_s: Floats) -> Floats:
        """Time derivative of `angular_rate`, rad/s², shape (n, 3)."""
        step = 0.5 / GRID_HZ
        return (self.angular_rate(at_s + step) - self.angular_rate(at_s - step)) / (2 * step)

    def joint_acceleration(self, at_s: Floats) -> Floats:
        """Acceleration of the joint, in world axes, m/s², shape (n, 3)."""
        return self._position(at_s, 2)

    def turning_acceleration(self, at_s: Floats, *, arm_m: Floats) -> Floats:
        """What the point `arm_m` away from the joint accelerates more than the joint, in segment axes, m/s², shape (n, 3)."""
        rate = self.angular_rate(at_s)
        return np.cross(self.angular_acceleration(at_s), arm_m) + np.cross(rate, np.cross(rate, arm_m))


def grid(duration_s: float) -> Floats:
    """Return the drawing grid from half a second before the start to half a second after the end."""
    return np.arange(-0.5, duration_s + 0.5, 1 / GRID_HZ)


def eased(share: Floats) -> Floats:
    """Go from 0 to 1 with least jerk while `share` goes from 0 to 1 (Flash and Hogan, 1985); level outside."""
    s = np.clip(share, 0.0, 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def excursions(t_s: Floats, *, start_s: Floats, out_s: Floats, hold_s: Floats, back_s: Floats, size: Floats) -> Floats:
    """Sum k excursions, each from 0 out to `size`, held, and back; every parameter has shape (k,), the answer (n,)."""
    t = t_s[:, None]
    out = eased((t - start_s) / out_s)
    back = eased((t - start_s - out_s - hold_s) / back_s)
    return (out - back) @ size


def shocks(t_s: Floats, *, at_s: Floats, peak: Floats, frequency_hz: float) -> Floats:
    """Displacement, shape (n,), of k impacts at `at_s` (k,): the acceleration shoots up to `peak` m/s² (k,) and rings out."""
    rise_s = 0.3 / frequency_hz
    omega = 2 * np.pi * frequency_hz
    u = np.maximum((t_s[:, None] - at_s) / rise_s, 0.0)
    wavelet = -np.cos(omega * rise_s * (u - 1)) * u**3 * np.exp(3 * (1 - u))
    return wavelet @ (peak / (omega**2 + 3 / rise_s**2))


def wander(rng: np.random.Generator, t_s: Floats, *, knots_hz: float, size: float, columns: int = 3) -> Floats:
    """Smooth noise through random knots, shape (n, columns): sway and tremor, with standard deviation `size`."""
    knots = np.arange(t_s[0] - 2 / knots_hz, t_s[-1] + 3 / knots_hz, 1 / knots_hz)
    smooth: Floats = CubicSpline(knots, rng.normal(0.0, size, (len(knots), columns)))(t_s)
    return smooth


def _body_rate(angles: Floats, rates: Floats) -> Floats:
    roll, pitch = angles[:, 0], angles[:, 1]
    about_x = rates[:, 0] - rates[:, 2] * np.sin(pitch)
    about_y = rates[:, 1] * np.cos(roll) + rates[:, 2] * np.cos(pitch) * np.sin(roll)
    about_z = rates[:, 2] * np.cos(pitch) * np.cos(roll) - rates[:, 1] * np.sin(roll)
    return np.column_stack((about_x, about_y, about_z))
