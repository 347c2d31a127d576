"""Bare MediaPipe on a clip, as its user writes it: decode a frame, ask for the pose; run by the pose environment's Python.

Arguments: the clip, and the site-packages of the main environment, which has PyAV. Prints frames
a second of one core and frames a second by the clock, start included.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
from ingestion.video.pose_worker import mediapipe_without_drawing

if __name__ == "__main__":
    started, frames = time.perf_counter(), 0
    pose = mediapipe_without_drawing().solutions.pose.Pose(model_complexity=1)
    sys.path.append(sys.argv[2])
    import av

    with av.open(sys.argv[1]) as clip:
        clip.streams.video[0].codec_context.thread_count = 1
        for frame in clip.decode(video=0):
            pose.process(frame.to_ndarray(format="rgb24"))
            frames += 1
    print(frames / time.process_time(), frames / (time.perf_counter() - started))
