"""Videos in and out.

    video.py          `Video.open(path)`: what a video is, its frames, its sound
    source.py         what is accepted as a video
    header.py         what ffmpeg says about a file
    mp4.py            how many frames an MP4 file claims
    decode.py         one pass over a file: frames and their times
    frame_folder.py   a folder of pictures as a video
    write.py          `VideoWriter`: frames and their times into a file
    audio.py          the sound that a new video carries over
    ticks.py          when a written frame is shown
    matroska.py       raw frames with their times, as ffmpeg reads them from a pipe
    command_lines.py  every command line of ffmpeg
    ffmpeg.py         ffmpeg as a child process

Files are decoded and encoded by the ffmpeg binary that imageio-ffmpeg brings, through pipes and without a shell.
"""
