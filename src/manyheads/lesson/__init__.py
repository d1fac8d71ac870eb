"""One lesson's stages and claims."""
