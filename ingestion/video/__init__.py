"""From a clip to landmarks: a child process decodes it, another finds the body, the parent believes neither.

Belongs here: what a video file is, how its frames become poses, and what is measured on the way. Which files are videos, and
what a recording of one is called, is in `ingestion.readers.video`; what is made of poses is in `ml.preprocessing.pose`.
"""
