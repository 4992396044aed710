// Package deploy has tests only: they check that what the files in this folder name exists in the program. Beside
// them: killtest and clustertest, which run the program as processes and as containers, and what the two share in
// deploytest.
package deploy
