/**
 * The predecessor's layout: a row has a number of its own as primary key, indexes on host and on time apart from each
 * other, and its figures in JSON columns. It holds the same figures here as ours.
 */
const KEYS = 'PRIMARY KEY (id), KEY idx_rshost (rshost), KEY idx_a_time (a_time)';
const OPTIONS = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4';

export const PREDECESSOR_TABLES = [
  `CREATE TABLE old_host_info (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT '', cpu_info json, mem_info json,
    io_info json, net json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_disk_info (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT '', part varchar(50) NOT NULL DEFAULT '',
    disk_info json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_disk_util_qu_info (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT '', dev varchar(50) NOT NULL DEFAULT '',
    qu_info json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_port_net_info (id bigint NOT NULL AUTO_INCREMENT, rsinfo varchar(50) NOT NULL DEFAULT '', remote varchar(50) NOT NULL DEFAULT '',
    net_info json, a_time datetime NOT NULL, PRIMARY KEY (id), KEY idx_rsinfo_port (rsinfo), KEY idx_remote_port (remote),
    KEY idx_a_time (a_time)) ${OPTIONS}`,
  `CREATE TABLE old_process_info (id bigint NOT NULL AUTO_INCREMENT, md5_str char(32) NOT NULL DEFAULT '', remarks text,
    PRIMARY KEY (id), UNIQUE KEY uk_md5 (md5_str)) ${OPTIONS}`,
  `CREATE TABLE old_process_io_info (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT '', rsport int NOT NULL DEFAULT 0,
    process_info json, a_time datetime NOT NULL, md5_str char(32) NOT NULL DEFAULT '', remarks text, PRIMARY KEY (id),
    KEY idx_host_port (rshost, rsport), KEY idx_port (rsport), KEY idx_a_time (a_time)) ${OPTIONS}`,
];
