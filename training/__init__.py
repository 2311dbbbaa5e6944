"""From a table to a registered, packaged bundle: the stages of dvc.yaml, one module each."""
