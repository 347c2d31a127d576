"""Altered copies of training examples: noise, other gains and attitudes of a sensor, other speeds, parts.

Belongs here: the recipes of `studies.augmentation`. Which examples are copied is decided in `ml.preprocessing.examples`.
Every copy draws from its own random stream, named by the seed and its example id, so that neither the order of the
examples nor their number changes any of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ml.preprocessing.fixed_length import read_at
from ml.preprocessing.pose.images import flipped, zoomed_out
from ml.preprocessing.resampling import magnitude
from studies.augmentation import (
    Augmentation,
    Flip,
    Jitter,
    MultiplicativeNoise,
    Rotation,
    Scaling,
    Settings,
    Subsequence,
    TimeWarp,
    ZoomOut,
)
from studies.sensors import placement_of, sensor_of

_Floats = npt.NDArray[np.float32]
_Keys = npt.NDArray[np.uint64]

#: The value of `examples.augmentation` for an example as it was recorded.
ORIGINAL = "original"
#: Sensors that are one device's: what turns or scales one of them does so with all.
_ONE_SENSOR = {"gravity": "accelerometer", "linear_acceleration": "accelerometer"}


def copies_of(recipe: Sequence[Augmentation]) -> Iterator[tuple[str, Settings]]:
    """Yield the name of every copy that a recipe makes of one original, with what makes it.

    Examples
    --------
    >>> [name for name, _ in copies_of([Augmentation(subsequence=Subsequence(min_share=0.7, copies=2))])]
    ['subsequence_1', 'subsequence_2']
    """
    made = Counter[str]()
    for step in recipe:
        for _ in range(step.settings.copies):
            made[step.kind] += 1
            yield f"{step.kind}_{made[step.kind]}", step.settings


def augment(signals: _Floats, settings: Settings, *, channels: Sequence[str], example_ids: Sequence[str], seed: int) -> _Floats:
    """Return one altered copy of every signal.

    Parameters
    ----------
    signals : ndarray of float32, shape (n, length, channels)
    settings : one of the kinds of `studies.augmentation.Augmentation`
    channels : sequence of str
        Names as `ml.preprocessing.tensors.channel_names` gives them: ``gyroscope@waist.x``, ``accelerometer.norm``.
    example_ids : sequence of str, length n
        Ids of the copies; with the seed they name each copy's random stream.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, length, channels)
        Lengths of vectors fit their vectors, and quaternions have length one.
    """
    keys, columns = _keys(example_ids, seed), _columns(channels)
    match settings:
        case MultiplicativeNoise():
            return multiply_points(signals, settings, keys)
        case Scaling():
            return scale(signals, settings, keys, columns)
        case Rotation():
            return rotate(signals, settings, keys, columns)
        case Jitter():
            return _consistent(add_noise(signals, settings, keys), columns)
        case Subsequence():
            return _consistent(cut_subsequence(signals, settings, keys), columns)
        case TimeWarp():
            return _consistent(warp_time(signals, settings, keys), columns)
        case Flip():
            return flipped(signals)
        case ZoomOut():
            return zoomed_out(signals, settings.factor)


def multiply_points(signals: _Floats, noise: MultiplicativeNoise, keys: _Keys) -> _Floats:
    """Multiply exactly ``round(share × length)`` time points of each signal by a factor from `low` to `high`.

    All channels of a time point share its factor, so that a vector keeps its direction and fits its own norm.
    """
    count, length, _ = signals.shape
    points = round(noise.share * length)
    drawn = uniforms(keys, 2 * length)
    chosen = np.argsort(drawn[:, :length], axis=1)[:, :points]
    factors = np.ones((count, length), np.float32)
    values = noise.low + (noise.high - noise.low) * drawn[:, length : length + points]
    np.put_along_axis(factors, chosen, values.astype(np.float32), axis=1)
    return signals * factors[:, :, np.newaxis]


def cut_subsequence(signals: _Floats, subsequence: Subsequence, keys: _Keys) -> _Floats:
    """Cut a random stretch of at least `min_share` of each signal and stretch it to full length on cubics."""
    length = signals.shape[1]
    drawn = uniforms(keys, 2)
    span = (length - 1) * (subsequence.min_share + (1 - subsequence.min_share) * drawn[:, 0])
    start = (length - 1 - span) * drawn[:, 1]
    return read_at(signals, start[:, np.newaxis] + np.linspace(0, 1, length) * span[:, np.newaxis])


def add_noise(signals: _Floats, jitter: Jitter, keys: _Keys) -> _Floats:
    """Add normal noise to every value, its standard deviation `share` of that of its channel in its signal."""
    noise = normals(keys, signals[0].size).reshape(signals.shape)
    noise *= np.float32(jitter.share) * signals.std(axis=1, keepdims=True)
    noise += signals
    return noise


def scale(signals: _Floats, scaling: Scaling, keys: _Keys, columns: Mapping[str, Mapping[str, int]]) -> _Floats:
    """Multiply each sensor by a factor from `low` to `high`; orientation has no gain and stays."""
    devices = {stream: _device(stream) for stream in columns if sensor_of(stream) != "orientation"}
    names = sorted(set(devices.values()))
    drawn = scaling.low + (scaling.high - scaling.low) * uniforms(keys, len(names))
    factors = np.ones((len(signals), signals.shape[2]), np.float32)
    for stream, device in devices.items():
        factors[:, list(columns[stream].values())] = drawn[:, [names.index(device)]]
    return signals * factors[:, np.newaxis]


def rotate(signals: _Floats, rotation: Rotation, keys: _Keys, columns: Mapping[str, Mapping[str, int]]) -> _Floats:
    """Turn the sensors of each placement about one random axis by a random angle, all axes and angles as likely.

    A vector v becomes R v, its length stays. An orientation q, which turns v into the world, becomes q R*, so that what it
    makes of the turned vector is the same direction in the world as before. What is ``latent`` has no directions and stays.
    """
    placements = sorted({placement_of(stream) for stream in columns})
    turned = signals.copy()
    for number, placement in enumerate(placements):
        quaternion = _quaternions(uniforms(keys, 3 * len(placements))[:, 3 * number : 3 * number + 3], rotation.max_degrees)
        matrix = _matrices(quaternion)
        for stream, axes in columns.items():
            if placement_of(stream) != placement or sensor_of(stream) == "latent":
                continue
            part = [axes[axis] for axis in ("x", "y", "z", "w") if axis in axes]
            if sensor_of(stream) == "orientation":
                turned[:, :, part] = _product(signals[:, :, part], _conjugate(quaternion)[:, np.newaxis])
            else:
                turned[:, :, part] = signals[:, :, part] @ matrix.transpose(0, 2, 1)
    return turned


def warp_time(signals: _Floats, warp: TimeWarp, keys: _Keys) -> _Floats:
    """Read each signal at a speed that changes smoothly, by up to `max_share` of its mean; it begins and ends as before."""
    length, points = signals.shape[1], warp.knots + 2
    place = np.linspace(0, points - 1, length)
    below = np.minimum(place.astype(np.int64), points - 2)
    eased = (1 - np.cos(np.pi * (place - below))) / 2
    change = 2 * uniforms(keys, points) - 1
    speed = 1 + warp.max_share * (change[:, below] * (1 - eased) + change[:, below + 1] * eased)
    passed = np.zeros(speed.shape)
    np.cumsum((speed[:, 1:] + speed[:, :-1]) / 2, axis=1, out=passed[:, 1:])
    return read_at(signals, passed * ((length - 1) / passed[:, -1:]))


def uniforms(keys: _Keys, count: int) -> npt.NDArray[np.float64]:
    """Return `count` uniform numbers in [0, 1) for every key, the same for the same key in any process.

    SplitMix64 (Steele, Lea and Flood, 2014) over a counter: one vectorised pass, where a generator object for each of
    tens of thousands of examples would take longer than the augmentation itself.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
    count : int

    Returns
    -------
    ndarray of float64, shape (n, count)
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    mixed = keys[:, np.newaxis] + golden * np.arange(1, count + 1, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) * 2.0**-53


def normals(keys: _Keys, count: int) -> _Floats:
    """Return `count` standard normal numbers for every key (Box and Muller, 1958), float32 of shape (n, count)."""
    pairs = (count + 1) // 2
    drawn = uniforms(keys, 2 * pairs).astype(np.float32)
    radius = np.sqrt(-2 * np.log(np.maximum(1 - drawn[:, :pairs], np.float32(1e-7))))
    angle = np.float32(2 * np.pi) * drawn[:, pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :count]


def _keys(example_ids: Sequence[str], seed: int) -> _Keys:
    digests = b"".join(hashlib.sha256(f"{seed}:{example_id}".encode()).digest()[:8] for example_id in example_ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _columns(channels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Where the axes of each stream, and the length of its vector, are among the channels."""
    found: dict[str, dict[str, int]] = {}
    for number, channel in enumerate(channels):
        stream, _, axis = channel.rpartition(".")
        found.setdefault(stream, {})[axis] = number
    return found


def _device(stream: str) -> tuple[str, str]:
    sensor = sensor_of(stream)
    return _ONE_SENSOR.get(sensor, sensor), placement_of(stream)


def _consistent(signals: _Floats, columns: Mapping[str, Mapping[str, int]]) -> _Floats:
    """Make lengths of vectors those of the altered vectors, and quaternions of length one again."""
    for stream, axes in columns.items():
        part = [axes[axis] for axis in ("x", "y", "z", "w") if axis in axes]
        if "norm" not in axes and sensor_of(stream) != "orientation":
            continue
        length = magnitude(signals[:, :, part])
        if "norm" in axes:
            signals[:, :, axes["norm"]] = length
        else:
            signals[:, :, part] /= np.maximum(length, np.float32(1e-6))[:, :, np.newaxis]
    return signals


def _quaternions(drawn: npt.NDArray[np.float64], max_degrees: float) -> _Floats:
    """Turns about axes that are uniform on the sphere, x, y, z, w, shape (n, 4)."""
    height, around = 2 * drawn[:, 0] - 1, 2 * np.pi * drawn[:, 1]
    flat = np.sqrt(1 - height**2)
    half = np.deg2rad(max_degrees) * drawn[:, 2] / 2
    axis = np.stack([flat * np.cos(around), flat * np.sin(around), height], axis=1)
    return np.concatenate([axis * np.sin(half)[:, np.newaxis], np.cos(half)[:, np.newaxis]], axis=1).astype(np.float32)


def _matrices(quaternion: _Floats) -> _Floats:
    x, y, z, w = quaternion.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows, np.float32).transpose(2, 0, 1)


def _conjugate(quaternion: _Floats) -> _Floats:
    return quaternion * np.array([-1, -1, -1, 1], np.float32)


def _product(left: _Floats, right: _Floats) -> _Floats:
    """Hamilton's product of quaternions x, y, z, w."""
    a, b = left[..., :3], right[..., :3]
    vector = left[..., 3:] * b + right[..., 3:] * a + np.cross(a, b)
    return np.concatenate([vector, left[..., 3:] * right[..., 3:] - (a * b).sum(axis=-1, keepdims=True)], axis=-1)
