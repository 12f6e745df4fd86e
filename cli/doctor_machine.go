package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/db"
	"gatehouse/db/files"
)

// files looks at the data directory and the key file: who may read them, and whose they are.
func (x *examination) files() {
	if !x.isOnServer() {
		x.dataDirectory()
	}
	key := x.commandEnv.flags.KeyFile
	if key == "" {
		key = filepath.Join(x.commandEnv.flags.Data, files.KeyName)
	}
	switch _, err := files.ReadPrivate("key file", key); {
	case errors.Is(err, fs.ErrNotExist):
		x.fault(checkKey, fmt.Sprintf("There is no key file %s.", key),
			"Name it with --key-file, or put its copy back. Without it no second step works.")
	case err != nil:
		x.fault(checkKey, upperFirst(x.withAdvice(err))+".", "Do that, and ask again.")
	default:
		x.well(checkKey, "%s is closed to others.", key)
	}
}

// dataDirectory looks at the directory and what is in it, and makes neither.
func (x *examination) dataDirectory() {
	dir := x.commandEnv.flags.Data
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.fault(checkData, fmt.Sprintf("There is no directory %s.", dir), "Name the right one with --data, or mount its disk.")
		return
	case err == nil && !info.IsDir():
		x.fault(checkData, fmt.Sprintf("%s is no directory.", dir), "Name the directory with --data.")
		return
	case err == nil:
		err = files.CheckDataDir(dir)
	}
	if err != nil {
		x.fault(checkData, upperFirst(x.withAdvice(err))+".", "Do that, and ask again.")
		return
	}
	owner, known := files.Owner(dir)
	for _, name := range []string{db.FileName, db.FileName + "-wal", db.FileName + "-shm", files.LockName, files.KeyName} {
		path := filepath.Join(dir, name)
		if its, ok := files.Owner(path); known && ok && its != owner && its != 0 || ok && known && its != owner && name != files.KeyName {
			x.fault(checkData, fmt.Sprintf("%s belongs to %s, and its directory to %s: the service cannot write it.", path,
				userName(its), userName(owner)), fmt.Sprintf("As root: chown %d %s", owner, files.Quoted(path)))
			return
		}
	}
	x.well(checkData, "%s is closed to others.", dir)
}

// How much room there should be, in bytes: an upgrade copies the database aside, and the journal
// grows while a backup is made.
const (
	diskTight = 256 << 20
	diskFull  = 32 << 20
)

// disk looks at the room that is left beside the database.
func (x *examination) disk() {
	if x.isOnServer() {
		return
	}
	free, ok := freeDisk(x.commandEnv.flags.Data)
	if !ok {
		return
	}
	room := fmt.Sprintf("%d MB are free in %s", free>>20, x.commandEnv.flags.Data)
	var size uint64
	if info, err := os.Stat(filepath.Join(x.commandEnv.flags.Data, db.FileName)); err == nil {
		size = uint64(max(0, info.Size())) //nolint:gosec // never negative
	}
	const advice = "Make room: old backups and copies aside (gatehouse.db.…) first; gatehouse activity prune makes the database smaller."
	switch {
	case free < diskFull:
		x.fault(checkDisk, room+": soon nobody can sign in.", advice)
	case free < max(diskTight, 2*size):
		x.warn(checkDisk, room+".", advice)
	default:
		x.well(checkDisk, "%s.", room)
	}
}

// clockTold is from which difference on a clock is told of.
const clockTold = 5 * time.Second

// setClock is what to do about a clock.
const setClock = "Set it right by NTP: timedatectl set-ntp true. Codes count by the clock; recovery codes and passkeys work meanwhile."

// clock compares this machine's clock with the database server's, or with whoever answered.
func (x *examination) clock(store *db.Store, seen sight) {
	if store.IsShared() {
		ahead, err := store.ClockAhead(x.ctx, x.now)
		switch {
		case err != nil:
			x.fault(checkClock, upperFirst(x.withAdvice(err))+".", "Put the database right, and ask again.")
		case ahead.Abs() > db.ClockWarns:
			x.warn(checkClock, fmt.Sprintf("This machine's clock is %s off that of the database's server.", ahead.Abs().Round(time.Millisecond)), setClock)
		default:
			x.well(checkClock, "It is that of the database's server.")
		}
		return
	}
	kept, known := clockKept()
	switch {
	case seen.ahead.Abs() > clockTold:
		x.warn(checkClock, fmt.Sprintf("This machine's clock is %s off that of what answers for the workspace.", seen.ahead.Abs().Round(time.Second)), setClock)
	case known && !kept:
		x.warn(checkClock, "Nothing keeps this machine's clock right, as far as its kernel knows.", setClock)
	case known:
		x.well(checkClock, "It is kept right.")
	}
}
