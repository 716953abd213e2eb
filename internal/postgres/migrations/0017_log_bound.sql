-- The number of the bound on logs, which lands on its own and takes this file's place.
SELECT;
