-- Nothing: the number was kept for backups, which need no change of the schema.
SELECT;
