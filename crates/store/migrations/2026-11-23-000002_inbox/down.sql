DROP INDEX event_ids_by_age;
DROP TABLE inbox;
