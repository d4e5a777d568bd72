-- The roles of the services, one each. Run by `tocsin-worker migrate` if it may (superuser or CREATEROLE), else by an
-- administrator: psql --file roles.sql, once per Postgres cluster, then `tocsin-worker migrate` again.
--
-- They may log in but have no password, so that nobody logs in by password until it is set: ALTER ROLE … PASSWORD …
DO $$
DECLARE
    service text;
BEGIN
    FOREACH service IN ARRAY ARRAY['tocsin_ingest', 'tocsin_worker', 'tocsin_notifier', 'tocsin_api'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', service);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- Roles belong to the cluster: another database of it is being migrated at the same moment.
            END;
        END IF;
    END LOOP;
END $$;
