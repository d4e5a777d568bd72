DROP TABLE dead_letters, event_ids, deliveries, notifications, timeline, incident_alerts, alerts, incidents;
