"""Sound → features → embedding → blend → sound. Nothing in this package depends on wavetables."""
