// Package backup is the file that a backup is: a zip with the tables of one moment, the keys that open the secrets in them, and
// what tells people about both. It is written as it comes, to a pipe too, and read whole before anything in it is believed:
// each part has a checksum, and a file that was cut has no directory. What the parts mean is their reader's affair.
package backup
