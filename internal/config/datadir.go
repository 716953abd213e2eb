package config

import "path/filepath"

// dataDirKey declares the folder of what a program keeps.
func dataDirKey(into *string) key {
	return key{
		env: "SLIPWAY_DATA_DIR", path: "data_dir", initial: ".slipway", value: text(into, given),
		doc: "Folder of what is kept: the admin token, the keyset, checkouts; with slipway-dev also databases, images, caches and logs.",
	}
}

// absolute makes the data directory's path independent of the working directory.
func absolute(dir *string) Faults {
	path, err := filepath.Abs(*dir)
	if err != nil {
		return Faults{{Key: "SLIPWAY_DATA_DIR", Problem: err.Error(), Fix: "give an absolute path"}}
	}
	*dir = path
	return nil
}
