"""Sound → features → embedding → blend → sound. Knows nothing of wavetables."""
