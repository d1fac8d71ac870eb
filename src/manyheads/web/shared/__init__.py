"""What every page and every server of ours shares: guards, how one runs, looks."""
