"""Video in and out: `probe` says what a file holds, `read` yields its frames, `sample` chooses some, `write`.

Files are decoded and encoded by the ffmpeg binary that imageio-ffmpeg brings, through pipes and without a shell; see
`ffmpeg` for how the child is kept on a short lead, and `source` for what is let in.
"""
