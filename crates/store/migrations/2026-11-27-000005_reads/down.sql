DROP TRIGGER alert_terms_insert ON alerts;
DROP TRIGGER alert_terms_update ON alerts;
DROP TRIGGER alert_terms_delete ON alerts;
DROP TRIGGER incidents_tally_insert ON incidents;
DROP TRIGGER incidents_tally_update ON incidents;
DROP TRIGGER incidents_tally_delete ON incidents;
DROP TRIGGER alerts_tally_insert ON alerts;
DROP TRIGGER alerts_tally_update ON alerts;
DROP TRIGGER alerts_tally_delete ON alerts;
DROP FUNCTION incidents_tally, alerts_tally, tallies_fold, alert_terms_insert, alert_terms_update, alert_terms_delete;
DROP TABLE tallies, alert_terms;
DROP INDEX incidents_by_age, incidents_by_state, alerts_by_state, alerts_by_source, notifications_by_state,
    notifications_by_receiver, silences_by_age, incidents_labels, incidents_title;
