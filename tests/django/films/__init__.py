"""An application that has films, some of them in a storage without paths."""
