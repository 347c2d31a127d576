"""Names of the points of a body: the landmarks that a pose tool gives, and the joints that the lake keeps of them.

Belongs here: names and which landmark is which joint. Coordinates are computed where poses are read.
"""

from __future__ import annotations

from collections.abc import Mapping

#: MediaPipe's 33 landmarks in its order (BlazePose; left and right are the person's).
MEDIAPIPE: tuple[str, ...] = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)
#: The 17 keypoints of COCO in its order.
COCO_17: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
#: OpenPose's 18 keypoints of its COCO model in their order. It learnt the neck as the middle of the shoulders.
COCO_18: tuple[str, ...] = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
#: OpenPose's 25 keypoints in their order; the big toe is called what MediaPipe calls it.
BODY_25: tuple[str, ...] = (
    *COCO_18[:8],
    "mid_hip",
    *COCO_18[8:],
    "left_foot_index",
    "left_small_toe",
    "left_heel",
    "right_foot_index",
    "right_small_toe",
    "right_heel",
)
#: How many keypoints a body has tells which they are.
SKELETONS: Mapping[int, tuple[str, ...]] = {len(names): names for names in (COCO_17, COCO_18, BODY_25, MEDIAPIPE)}
#: The 19 joints in the order in which published distances count them: `np.triu_indices(19, 1)`.
JOINTS: tuple[str, ...] = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
)
#: What the streams of a recorded pose are placed at: the 19 joints and the feet.
PLACEMENTS: tuple[str, ...] = (*JOINTS, "right_heel", "left_heel", "right_foot_index", "left_foot_index")

#: Limbs of a body among MediaPipe's landmarks, as their numbers, and whose side they are.
LIMBS: tuple[tuple[int, int, str], ...] = tuple(
    (MEDIAPIPE.index(f"{side}_{start}"), MEDIAPIPE.index(f"{side}_{end}"), side)
    for side in ("left", "right")
    for start, end in (
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("wrist", "index"),
        ("shoulder", "hip"),
        ("hip", "knee"),
        ("knee", "ankle"),
        ("ankle", "heel"),
        ("heel", "foot_index"),
    )
)
