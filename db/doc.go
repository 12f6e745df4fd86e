// Package db is the memory: all SQL, all sealing and all slow hashing. Secrets
// leave the disk only through it.
//
// There is one file, in SQLite's WAL mode with synchronous=FULL: an answer
// that said yes is on the disk, so that a used code stays used after a power
// cut. One connection writes and several read. A change is all or
// nothing, its activity row included; slow hashes are computed outside of it.
package db
