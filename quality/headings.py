"""The headings under which people read what is wrong: a few plain words for each code.

Belongs here: words for codes, of the verdicts and of the readers. What exactly was found, where, and what to do is told by the
sentence beside a heading; see `quality.reasons` for those of the verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Codes that judging gives.
VERDICTS: Mapping[str, str] = {
    "rate_out_of_contract": "Sampling rate outside what the study allows",
    "gap_too_long": "A pause in the recording that is too long",
    "jitter_too_high": "Readings come too irregularly",
    "out_of_range": "Values that cannot be true",
    "saturated": "The sensor was at the end of its range",
    "unit_implausible": "The unit or the scale looks wrong",
    "stream_missing": "A sensor is missing",
    "too_short": "Recording too short",
    "label_unknown": "Label that the study does not know",
    "label_missing": "No label",
    "participant_unknown": "Participant code that the study does not know",
    "copy_of_recording": "Copy of another recording",
    "copy_of_other_participant": "Same sensor values as another participant",
}

#: Codes that reading gives.
READING: Mapping[str, str] = {
    "accelerometer_summed": "Acceleration put together from its two parts",
    "annotation_backwards": "A marked stretch ends before it begins",
    "annotation_cut": "A marked stretch reaches beyond the recording",
    "annotation_label_unknown": "A marked stretch has a label that the study does not know",
    "annotation_malformed": "A marked stretch that cannot be understood",
    "annotation_outside": "A marked stretch lies outside its recording",
    "annotation_rate_wrong": "The file of marked stretches names another sampling rate",
    "annotation_time": "The time of a mark cannot be understood",
    "annotations_not_read": "A file of marked stretches that cannot be read",
    "annotations_of_another_file": "Marked stretches that belong to another recording",
    "annotations_overlap": "Marked stretches overlap",
    "annotations_unknown": "A file of marked stretches of an unknown kind",
    "annotations_without_frames": "Squats were marked by frames in a recording that has none",
    "aspect_unknown": "The shape of the picture is not known",
    "blocks_damaged": "Parts of the file are damaged",
    "calibration_missing": "The device file lacks its calibration",
    "clock_shifted": "The clock does not agree with the file's name",
    "column_constant": "A column that never changes was left out",
    "column_unknown": "A column that is no sensor was left out",
    "csv_empty": "The table is empty",
    "csv_header_unknown": "Column names that nobody knows",
    "csv_no_rows": "A table without a single reading",
    "csv_not_a_number": "Something that is no number stands among the readings",
    "csv_not_parsed": "The table cannot be read",
    "csv_row_ragged": "A row with too many or too few values",
    "csv_too_large": "The table is too large",
    "csv_unit_unknown": "A unit that nobody knows",
    "csv_value_missing": "A reading lacks a value",
    "device_paused": "The device slept during the recording",
    "device_restarted": "The device started anew during the recording",
    "distances_malformed": "Joint distances that cannot be understood",
    "distances_of_no_body": "Distances that no body has",
    "euler_not_needed": "Angles that the recording also holds as quaternions were left out",
    "file_empty": "An empty file",
    "file_missing": "A file is missing",
    "file_unreadable": "A file that cannot be read",
    "format_unknown": "A file of an unknown kind",
    "frames_damaged": "Pictures of the video are damaged",
    "gt3x_layout": "The device file is laid out in an unknown way",
    "header_missing": "The line of column names is missing",
    "joints_not_seen": "Nobody was seen in a part of the recording",
    "joints_wrong_number": "Another number of joints than is due",
    "json_not_array": "The file is not of the kind that its ending says",
    "json_not_parsed": "The file cannot be read",
    "json_too_large": "The file is too large",
    "json_too_long": "The file holds too much in one piece",
    "json_value": "Something that is no reading stands among the readings",
    "messages_missing": "Messages from the phone are missing",
    "messages_repeated": "Messages from the phone came twice",
    "messages_sorted": "Messages from the phone came in another order",
    "packets_absent": "A file without a single reading",
    "packets_lost": "The radio link lost readings",
    "packing_unknown": "The device file is packed in an unknown way",
    "parquet_not_parsed": "The table cannot be read",
    "person_changed": "The video may show one person and then another",
    "person_missing": "Nobody is seen in the video",
    "pickle_refused": "A kind of file that is not opened, because it could run programs",
    "placement_unknown": "A place on the body that the study does not know",
    "platform_unknown": "Whether an iPhone or an Android phone recorded is not known",
    "pose_failed": "Finding the body in the video failed",
    "pose_unavailable": "This machine cannot find bodies in videos",
    "private_left_out": "Private data was left out",
    "push_several_sessions": "One file with several recordings",
    "rate_unknown": "The device file does not tell its sampling rate",
    "recording_empty": "A recording without a single reading",
    "scale_error": "A sensor reads too much or too little",
    "scale_unknown": "The device file does not tell the size of its readings",
    "sensor_assumed": "Which sensor a file is of was taken from the study",
    "sensor_copied": "A sensor that the export holds twice",
    "sensor_twice": "Two files for one sensor",
    "sensor_unnamed": "Which sensor a file is of is not known",
    "sequence_cut": "A row that is no whole number of readings",
    "sequence_too_long": "A row that is too long",
    "several_people": "More than one person is seen in the video",
    "several_recordings": "Files of several recordings are named as one",
    "stream_twice": "Two files for one sensor",
    "tail_cut": "The file ends too early",
    "time_backwards": "Times that go back",
    "time_coarse": "Times are written too coarsely",
    "time_duplicates": "Readings with the same time",
    "time_in_future": "Times that have not come yet",
    "time_not_absolute": "Times that tell no date",
    "time_not_read": "A time that cannot be understood",
    "time_out_of_range": "A time that cannot be true",
    "timezone_unknown": "The time zone is not known",
    "uncalibrated_used": "Readings that the phone did not calibrate were used",
    "unit_doubtful": "A unit that is doubtful",
    "vault_damaged": "The kept file has changed",
    "vault_unreadable": "The kept file cannot be read",
    "video_codec_unknown": "A video packed in an unknown way",
    "video_not_asked_for": "A video that the study does not ask for",
    "video_over_limits": "A video that costs too much to read",
    "video_too_large": "The pictures of the video are too large",
    "video_unreadable": "A video that cannot be read",
    "zip_bomb": "A zip file that is far larger than it looks",
    "zip_compression": "A zip file that is packed in an unknown way",
    "zip_damaged": "A damaged zip file",
    "zip_encrypted": "A zip file with a password",
    "zip_member_path": "A zip file with unsafe names in it",
    "zip_several_recordings": "One zip file with several recordings",
    "zip_too_large": "A zip file that is too large",
    "zip_truncated": "A zip file that was cut off",
}


def heading(code: str) -> str:
    """Return a code's heading; of a reader that was added since, the code's own words.

    Examples
    --------
    >>> heading("too_short"), heading("zip_truncated"), heading("probe_loose")
    ('Recording too short', 'A zip file that was cut off', 'Probe loose')
    """
    return VERDICTS.get(code) or READING.get(code) or code.replace("_", " ").capitalize()
