-- Why a build host gives none of its free slots away, in words; empty while it does.
ALTER TABLE hosts ADD COLUMN slots_closed text NOT NULL DEFAULT '';

-- Why no build host gives a slot away, in words; null while one does, or when none was seen lately.
CREATE FUNCTION slots_closed() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN bool_and(h.slots_closed <> '') THEN string_agg(h.slots_closed, ', ' ORDER BY h.id) END
      FROM hosts h WHERE 'build' = ANY (h.roles) AND h.last_seen_at > now() - interval '30 seconds'
$$;

CREATE OR REPLACE FUNCTION build_wait(deployment uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN w.closed IS NOT NULL THEN w.closed
                WHEN w.builds >= w.most AND w.most > 0
                THEN format('the project''s other builds (%s of %s under way)', w.builds, w.most)
                ELSE 'a build slot' END
      FROM (SELECT project_builds(l.project_id) AS builds, project_slots() AS most, slots_closed() AS closed
              FROM build_line l WHERE l.id = deployment) w
$$;
