"""A squatting body in the world: where each of the 33 landmarks is at every moment.

Belongs here: kinematics. Axes: x to the person's left, y up, z ahead, in metres, from the floor between the ankles. Hips follow
from the bend of the knees, knees from hips and ankles (two links of known length), the trunk from lean and curl.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.simulation.exercises.bout import Bout
from ingestion.simulation.motion import Floats, wander
from ingestion.simulation.poses.forms import Posture
from ingestion.simulation.poses.physique import Physique
from studies.skeletons import MEDIAPIPE

#: Of the trunk, the share below the bend of the back, and how far each part turns for a curl of 1 rad.
_LUMBAR, _LUMBAR_TURN, _THORACIC_TURN = 0.45, -0.5, 0.7
#: Nobody stands with locked knees before a squat; it leaves the hips room to sway.
_UPRIGHT = 0.3
_SIDES = {"left": 1.0, "right": -1.0}
_AHEAD = np.array([0.0, 0.0, 1.0])

_Points = Mapping[str, Floats]


@dataclass(frozen=True)
class Performance:
    """One set: whose bones, in which posture, and what was drawn of its course.

    Parameters
    ----------
    body : Physique
    posture : Posture
        At the bottom.
    bout : Bout
        Its times are those of the frames.
    """

    body: Physique
    posture: Posture
    bout: Bout

    def landmarks(self) -> Floats:
        """Return every landmark in the order of `studies.skeletons.MEDIAPIPE`, shape (n, 33, 3)."""
        bend = self._bend()
        legs = self._legs(bend)
        trunk = self._trunk(bend, legs["hips"])
        points = {**legs, **trunk, **self._arms(bend, trunk), **self._head(bend, trunk)}
        return np.stack([np.broadcast_to(points[name], (len(bend), 3)) for name in MEDIAPIPE], axis=1)

    def _bend(self) -> Floats:
        """How far down, 0 upright and about 1 at the bottom, shape (n,)."""
        bout = self.bout
        reps = bout.repetitions(usual_s=2.6 / bout.person.tempo, pause_s=0.4 * bout.person.unsteadiness)
        down, hold = bout.rng.uniform(0.38, 0.5), bout.rng.uniform(0.02, 0.12)
        size = 1 - 0.5 * np.abs(reps.size - 1)
        return reps.part(bout.t_s, size, first=0.0, out=down, hold=hold, back=1 - down - hold)

    def _legs(self, bend: Floats) -> dict[str, Floats]:
        body, posture = self.body, self.posture
        sway = wander(self.bout.rng, self.bout.t_s, knots_hz=1.0, size=0.004 * self.bout.person.unsteadiness)
        flexion = _UPRIGHT + (posture.flexion - _UPRIGHT) * bend
        leg = np.sqrt(body.thigh**2 + body.shank**2 + 2 * body.thigh * body.shank * np.cos(flexion))
        behind = leg * np.sin(np.clip(flexion / 2 - posture.shank * bend, -0.1, 0.9))
        sideways = body.stance * body.shoulders / 2 - body.hips / 2
        lift = np.maximum(posture.heel, 0.0) * bend
        height = body.ankle + lift + np.sqrt(np.maximum(leg**2 - behind**2 - sideways**2, 0.01))
        hips = np.stack([np.zeros_like(bend), height, -behind], axis=1) + sway * [1, 0.2, 1]
        found = {"hips": hips}
        lopsided = 0.4 * self.bout.person.asymmetry
        for side, sign in _SIDES.items():
            hip = hips + _across(sign * body.hips / 2)
            ankle = np.stack([np.full_like(bend, sign * body.stance * body.shoulders / 2), body.ankle + lift, 0 * bend], axis=1)
            outward = body.turnout - posture.valgus * (1 + sign * lopsided) * bend
            toes = np.array([sign * np.sin(body.turnout), 0.0, np.cos(body.turnout)])
            found |= {
                f"{side}_hip": hip,
                f"{side}_ankle": ankle,
                f"{side}_knee": _knee(hip, ankle, body, pole=_turned(sign * outward)),
                f"{side}_heel": ankle - 0.3 * body.foot * toes - _up(0.8 * body.ankle),
                f"{side}_foot_index": ankle * [1, 0, 1] + 0.65 * body.foot * toes + _up(0.02),
            }
        return found

    def _trunk(self, bend: Floats, hips: Floats) -> dict[str, Floats]:
        body, posture = self.body, self.posture
        sway = wander(self.bout.rng, self.bout.t_s, knots_hz=1.2, size=0.015, columns=1)[:, 0]
        lean, curl = 0.06 + sway + posture.lean * bend, posture.curl * bend
        thoracic = lean + _THORACIC_TURN * curl
        lower = _LUMBAR * body.trunk * _leaning(lean + _LUMBAR_TURN * curl)
        middle = hips + lower + (1 - _LUMBAR) * body.trunk * _leaning(thoracic)
        # A round back draws the shoulders forward, an arched one back.
        drawn = 0.1 * curl[:, np.newaxis] * _leaning(thoracic + np.pi / 2)
        width = body.shoulders * (1 - 0.06 * np.abs(curl[:, np.newaxis]))
        found = {f"{side}_shoulder": middle + drawn + _across(sign * 0.5) * width for side, sign in _SIDES.items()}
        return {**found, "middle": middle, "neck": _leaning(0.6 * thoracic)}

    def _head(self, bend: Floats, trunk: _Points) -> dict[str, Floats]:
        body = self.body
        wandering = wander(self.bout.rng, self.bout.t_s, knots_hz=0.8, size=0.05, columns=1)[:, 0]
        up = self.posture.gaze * bend - 0.08 + wandering
        face, crown = _leaning(np.pi / 2 - up), _leaning(-up)
        centre = trunk["middle"] + body.neck * trunk["neck"] + 0.5 * body.head * crown
        ahead, eye = 0.6 * body.head * face, 0.12 * body.head * crown
        found = {"nose": centre + ahead + 0.08 * face * body.head}
        for side, sign in _SIDES.items():
            for name, out in {"eye_inner": 0.07, "eye": 0.15, "eye_outer": 0.22}.items():
                found[f"{side}_{name}"] = centre + 0.85 * ahead + eye + _across(sign * out * body.head)
            found[f"{side}_ear"] = centre + _across(sign * 0.34 * body.head)
            found[f"mouth_{side}"] = centre + 0.9 * ahead - 2 * eye + _across(sign * 0.12 * body.head)
        return found

    def _arms(self, bend: Floats, trunk: _Points) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for side, sign in _SIDES.items():
            upper, fore = self._arm_directions(bend, sign)
            elbow = trunk[f"{side}_shoulder"] + self.body.upper_arm * _unit(upper)
            wrist = elbow + self.body.forearm * _unit(fore)
            hand = 0.5 * self.body.forearm * _unit(fore)
            found |= {f"{side}_elbow": elbow, f"{side}_wrist": wrist}
            for name, out in {"pinky": 0.02, "index": -0.01, "thumb": -0.03}.items():
                found[f"{side}_{name}"] = wrist + (0.6 if name == "thumb" else 1) * hand + _across(sign * out)
        return found

    def _arm_directions(self, bend: Floats, sign: float) -> tuple[Floats, Floats]:
        """Of upper arm and forearm, each (n, 3) or (3,)."""
        raised = np.stack([0.15 * sign + 0 * bend, bend - 0.95, 0.1 + 1.2 * bend], axis=1)
        if self.body.arms == "ahead":
            return raised, raised + np.array([-0.1 * sign, 0.05, 0.1])
        if self.body.arms == "crossed":
            return np.array([0.2 * sign, -0.6, 0.7]), np.array([-0.85 * sign, 0.5, 0.15])
        return np.array([0.65 * sign, -0.7, -0.3]), np.array([-0.7 * sign, -0.55, 0.45])


def _knee(hip: Floats, ankle: Floats, body: Physique, *, pole: Floats) -> Floats:
    """Where thigh and shank meet, on the side of `pole`."""
    along = ankle - hip
    reach = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / reach
    reach = np.minimum(reach, 0.9999 * (body.thigh + body.shank))
    down = (body.thigh**2 - body.shank**2 + reach**2) / (2 * reach)
    out = np.sqrt(np.maximum(body.thigh**2 - down**2, 0.0))
    across = pole - (pole * along).sum(axis=1, keepdims=True) * along
    return hip + down * along + out * _unit(across)


def _turned(angle: Floats) -> Floats:
    """Ahead, turned to the left by `angle` (n,)."""
    return np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=1)


def _leaning(angle: Floats) -> Floats:
    """Up, leant forward by `angle` (n,)."""
    return np.stack([np.zeros_like(angle), np.cos(angle), np.sin(angle)], axis=1)


def _unit(vectors: Floats) -> Floats:
    found: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return found


def _across(length: float) -> Floats:
    return np.array([length, 0.0, 0.0])


def _up(length: float) -> Floats:
    return np.array([0.0, length, 0.0])
