package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/db/files"
)

// NextSuffix ends the name of the file that holds the new key during a rotation.
const NextSuffix = ".next"

// ReadOrMakeKey reads the key file for a workspace that is being made, and makes
// it when there is none.
func ReadOrMakeKey(path string) (*Keyring, error) {
	return readOrMake(path, path)
}

// ReadOrMakeNextKey returns the key to rotate to: a new one, or the one that a rotation
// which was interrupted had made and not used.
func ReadOrMakeNextKey(keyFile string) (*Keyring, error) {
	return readOrMake(keyFile+NextSuffix, keyFile)
}

// ReadNextKey returns the key to rotate to, where it has to be there already.
func ReadNextKey(keyFile string) (*Keyring, error) {
	path := keyFile + NextSuffix
	key, err := readKey(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use the new key %s: %w", path, err)
	}
	return newKeyring(path, key)
}

func readOrMake(path, replaced string) (*Keyring, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = NewKey()
		err = writeKey(path, key, replaced)
		if errors.Is(err, fs.ErrExist) { // by another process, just now
			key, err = readKey(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	return newKeyring(path, key)
}

// NextKeyID is the id of the key that waits for the next rotation; nil when there is none.
func NextKeyID(keyFile string) ([]byte, error) {
	path := keyFile + NextSuffix
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the new key %s: %w", path, err)
	}
	keys, err := newKeyring(path, key)
	if err != nil {
		return nil, err
	}
	return keys.id, nil
}

// readKey reads a key file. One that others may read or change is refused.
func readKey(path string) ([]byte, error) { return files.ReadPrivate("key file", path) }

// IsMissing reports whether neither the key file nor a rotation's next one is
// there.
func IsMissing(keyFile string) bool {
	_, missing := os.Stat(keyFile)
	_, next := os.Stat(keyFile + NextSuffix)
	return errors.Is(missing, fs.ErrNotExist) && errors.Is(next, fs.ErrNotExist)
}

// FindKey reads the key with an id: from the key file or, when a rotation was interrupted
// before its last step, from the file that was to take its place.
func FindKey(keyFile string, id []byte) (*Keyring, error) {
	for _, file := range []string{keyFile, keyFile + NextSuffix, keyFile} { // once more: it may just have been replaced
		key, err := readKey(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use the key file %s: %w", file, err)
		}
		keys, err := newKeyring(file, key)
		if err != nil || keys.HasID(id) {
			return keys, err
		}
	}
	return nil, fmt.Errorf("the key file %s does not belong to the database; put the right one in its place, "+
		"or name it with --key-file", keyFile)
}

// WriteKey makes a key file, readable by its owner only, that is whole or not
// there: a half-written key would lock everybody out. It takes no other file's
// place (fs.ErrExist).
func WriteKey(path string, key []byte) error {
	return writeKey(path, key, path)
}

// writeKey makes a key file that belongs to whom a file belongs that it will
// replace, if there is one.
func writeKey(path string, key []byte, replaced string) error {
	made, err := files.Write(path, key, replaced)
	if err != nil {
		return err
	}
	if err := files.Publish(made, path); err != nil {
		return errors.Join(err, os.Remove(made))
	}
	return nil
}

// AdoptNextKey puts the new key in the key file's place when it is the one that
// the database is sealed with.
func AdoptNextKey(keyFile string, sealedWith *Keyring) error {
	path := keyFile + NextSuffix
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot use the new key %s: %w", path, err)
	}
	keys, err := newKeyring(path, key)
	if err != nil {
		return err
	}
	if !keys.HasID(sealedWith.id) {
		return nil
	}
	if err := files.Replace(path, keyFile); err != nil {
		return fmt.Errorf("everything is sealed with the new key, but it cannot take the key file's place; "+
			"move %s to %s: %w", path, keyFile, err)
	}
	return nil
}
