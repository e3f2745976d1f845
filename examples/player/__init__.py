"""A desktop player for `.ecv` streams, built on `edgecodec.runtime` and pygame.

From what decodes to what is seen: `original` and `scene_facts` are what a `source` adds to a
stream's frames, `decoding` runs it in a thread, `playback` says which picture is on screen when,
`sound` goes along with it, `picture`, `timeline` and `overlay` draw, and `window` has them all.
Nothing up to `playback` knows pygame: another toolkit would replace the rest.
"""
