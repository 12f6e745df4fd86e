// Package db is the store: all SQL, and all that is encrypted or hashed. Secrets leave
// the disk only through it.
//
// There is one file, in SQLite's WAL mode with synchronous=FULL: what was answered with
// success is on the disk, so that a used code stays used after a power cut. One
// connection writes and several read. A change is all or nothing, its activity row
// included; slow hashes are computed outside of it.
package db
