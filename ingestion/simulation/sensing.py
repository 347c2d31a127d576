"""An ideal sensor strapped to a body segment: what it would read if it made no errors.

Belongs here: how it is mounted, gravity, and the conventions of rest. What a real device adds is in `instruments`.

Conventions are Android's: at rest the accelerometer reads +g on the axis that points up, rates follow the right hand,
and the quaternion (x, y, z, w) turns sensor axes into world axes with z up. Phone axes: x right and y up along the
screen, z out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ingestion.simulation.exercises import perform
from ingestion.simulation.motion import Course, Floats, G
from ingestion.simulation.people import Person, generator

_UP = np.array([0.0, 0.0, G])
#: People face the same wall, more or less: yaw in rad, counted from north anticlockwise.
_ROOM_HEADING = 1.8


@dataclass(frozen=True)
class Mounted:
    """A sensor on a segment.

    Parameters
    ----------
    course : Course
        Where the segment goes.
    mounting : Rotation
        From sensor to segment axes.
    heading : Rotation
        From the person's world to the compass's: nobody stands facing north.
    arm_m : ndarray of float64, shape (3,)
        From the joint to the sensor, in segment axes.
    """

    course: Course
    mounting: Rotation
    heading: Rotation
    arm_m: Floats

    def orientation(self, at_s: Floats) -> Rotation:
        """Rotation from sensor to world axes at n times."""
        return self.heading * self.course.rotation(at_s) * self.mounting

    def specific_force(self, at_s: Floats) -> Floats:
        """What an accelerometer reads: acceleration less gravity, in sensor axes, m/s², shape (n, 3)."""
        joint = self.course.rotation(at_s).inv().apply(self.course.joint_acceleration(at_s) + _UP)
        return self.mounting.inv().apply(joint + self.course.turning_acceleration(at_s, arm_m=self.arm_m))

    def gravity(self, at_s: Floats) -> Floats:
        """The part of `specific_force` that is there at rest, m/s², shape (n, 3)."""
        return self.orientation(at_s).inv().apply(_UP)

    def angular_rate(self, at_s: Floats) -> Floats:
        """What a gyroscope reads, in sensor axes, rad/s, shape (n, 3)."""
        return self.mounting.inv().apply(self.course.angular_rate(at_s))


@dataclass(frozen=True)
class Truth:
    """A recording without any error, all streams on one clock.

    Parameters
    ----------
    t_ns : ndarray of int64, shape (n,)
        Nanoseconds from the start of the recording.
    streams : mapping of str to ndarray of float64
        By the lake's stream names, in its units; shape (n, 3), orientation (n, 4).
    """

    t_ns: npt.NDArray[np.int64]
    streams: Mapping[str, Floats]


def simulate_recording(
    person: Person,
    exercise: str,
    *,
    placement: str = "front_pocket",
    seconds: float = 10.0,
    set_number: int = 1,
    rate_hz: float = 100.0,
) -> Truth:
    """Return what an errorless sensor on `person` reads during set `set_number` of `exercise`.

    Examples
    --------
    >>> from ingestion.simulation.people import person
    >>> truth = simulate_recording(person(1, 1), "squat", seconds=8)
    >>> truth.streams["accelerometer"].shape, truth.streams["orientation"].shape
    ((800, 3), (800, 4))
    """
    sensor = mount(person, exercise, placement=placement, seconds=seconds, set_number=set_number)
    t_ns = np.arange(round(seconds * rate_hz), dtype=np.int64) * round(1e9 / rate_hz)
    at_s = t_ns / 1e9
    force, gravity = sensor.specific_force(at_s), sensor.gravity(at_s)
    streams = {
        "accelerometer": force,
        "gravity": gravity,
        "linear_acceleration": force - gravity,
        "gyroscope": sensor.angular_rate(at_s),
        "orientation": quaternions(sensor.orientation(at_s)),
    }
    return Truth(t_ns, streams)


def quaternions(rotation: Rotation) -> Floats:
    """Unit quaternions x, y, z, w, shape (n, 4), without a jump of sign from row to row; the first w is not negative."""
    values: Floats = rotation.as_quat()
    turned = np.cumprod(np.where((values[1:] * values[:-1]).sum(axis=1) < 0, -1.0, 1.0))
    values[1:] *= turned[:, None]
    return -values if values[0, 3] < 0 else values


def mount(person: Person, exercise: str, *, placement: str, seconds: float, set_number: int) -> Mounted:
    """Put the sensor on `person` for one set: the habit of the person, and a little different every time."""
    course = perform(person, exercise, placement=placement, seconds=seconds, set_number=set_number)
    rng = generator(person.key, "mounting", exercise, set_number)
    habit = generator(person.key, "habit", placement)
    mounting = _pocket(person, habit, rng) if placement == "front_pocket" else _back(habit)
    slipped = Rotation.from_rotvec(rng.normal(0, 0.07, 3))
    heading = Rotation.from_euler("z", rng.normal(_ROOM_HEADING, 0.2))
    return Mounted(course, slipped * mounting, heading, _arm(person, placement))


def _pocket(person: Person, habit: np.random.Generator, rng: np.random.Generator) -> Rotation:
    upright = Rotation.from_matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    screen_out, upside_down = habit.random() < 0.1, habit.random() < 0.05
    if rng.random() < 0.04:
        screen_out = not screen_out
    round_the_thigh = Rotation.from_euler("z", person.side * habit.uniform(0.3, 0.65))
    turned = Rotation.from_euler("yz", (np.pi * (not screen_out), np.pi * upside_down))
    return round_the_thigh * upright * turned


def _back(habit: np.random.Generator) -> Rotation:
    behind = Rotation.from_matrix([[0, 0, -1], [-1, 0, 0], [0, 1, 0]])
    return behind * Rotation.from_euler("z", np.pi * (habit.random() < 0.15))


def _arm(person: Person, placement: str) -> Floats:
    if placement == "front_pocket":
        return np.array([0.08, 0.05 * person.side, -0.4 * person.thigh_m])
    return np.array([-0.1, 0.0, 0.06])
