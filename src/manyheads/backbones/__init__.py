"""Images → features by a frozen network: names, preprocessing, weights, programs."""
