-- Deployments are counted by status for the metrics every few seconds; the index alone answers that.
CREATE INDEX deployments_by_status ON deployments (status);
