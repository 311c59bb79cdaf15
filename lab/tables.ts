/** The table that web app and worker fill. */
export const JOBS_TABLE =
  "create table if not exists jobs(n bigserial primary key, site text, kind text, at timestamptz default clock_timestamp())";
