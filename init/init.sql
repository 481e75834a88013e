-- Made by `npm run generate` from src/store/tables.ts: run it as an administrator, or call `procmesh init-db`.
CREATE DATABASE IF NOT EXISTS dbzz_monitor DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE dbzz_monitor;

CREATE TABLE IF NOT EXISTS tb_monitor_host_config (
  id bigint NOT NULL AUTO_INCREMENT COMMENT 'row',
  rshost varchar(255) NOT NULL COMMENT 'host',
  istate int NOT NULL DEFAULT 0 COMMENT '1 to bring online, 2 running, 0 to take offline, -1 offline',
  PRIMARY KEY (id),
  UNIQUE KEY uk_rshost (rshost)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='hosts to monitor; a host with its own SSH port or user is written user@host:port';

CREATE TABLE IF NOT EXISTS tb_monitor_host_detail (
  rshost varchar(255) NOT NULL COMMENT 'host',
  phase text DEFAULT NULL COMMENT 'what is being done with it',
  failure text DEFAULT NULL COMMENT 'why the last attempt failed',
  attempts int DEFAULT NULL COMMENT 'attempts in a row that failed',
  is_deployed int DEFAULT NULL COMMENT '1: an agent was deployed there',
  token_generation int DEFAULT NULL COMMENT 'older tokens are void',
  server varchar(255) DEFAULT NULL COMMENT 'that its agent is, or was last, connected to',
  disconnected bigint DEFAULT NULL COMMENT 'since when it is not, ms since 1970',
  version varchar(255) DEFAULT NULL COMMENT 'of its agent',
  agent_release varchar(255) DEFAULT NULL COMMENT 'hash of what its agent runs',
  wanted int DEFAULT NULL COMMENT 'id of the release that it is to run',
  upgrade varchar(255) DEFAULT NULL COMMENT 'how far it is with that',
  upgrade_failure text DEFAULT NULL COMMENT 'why that failed',
  PRIMARY KEY (rshost)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what is being done with the hosts of tb_monitor_host_config, and where their agents are';

CREATE TABLE IF NOT EXISTS tb_monitor_server (
  name varchar(255) NOT NULL COMMENT 'server',
  url varchar(255) NOT NULL COMMENT 'where agents reach it',
  beat bigint NOT NULL DEFAULT 0 COMMENT 'its last sign of life, ms since 1970',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='servers of this mesh';

CREATE TABLE IF NOT EXISTS tb_monitor_lease (
  name varchar(255) NOT NULL COMMENT 'duty',
  holder varchar(255) NOT NULL COMMENT 'server that does it',
  expires bigint NOT NULL DEFAULT 0 COMMENT 'when another may take it, ms since 1970',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='duties that one server does for all';

CREATE TABLE IF NOT EXISTS tb_monitor_version (
  id bigint NOT NULL AUTO_INCREMENT COMMENT 'row',
  version varchar(255) NOT NULL COMMENT '[global] version',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'when it was released',
  hash varchar(255) DEFAULT NULL COMMENT 'SHA-256 of what was released',
  state varchar(255) DEFAULT NULL COMMENT 'running, paused, halted or done',
  wave int DEFAULT NULL COMMENT 'waves that were begun',
  reason text DEFAULT NULL COMMENT 'why it is halted, or was released',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='acts of releasing, the newest last';

CREATE TABLE IF NOT EXISTS tb_monitor_alert_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'when',
  kind varchar(255) NOT NULL COMMENT 'what about',
  istate int NOT NULL DEFAULT 0 COMMENT '1 alerted, 0 recovered',
  remarks text NOT NULL COMMENT 'in plain words',
  sent bigint DEFAULT NULL COMMENT 'when it was sent, ms since 1970',
  PRIMARY KEY (rshost, a_time, kind),
  KEY idx_a_time (a_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what was alerted and what recovered';

CREATE TABLE IF NOT EXISTS tb_monitor_host_last (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the last interval',
  PRIMARY KEY (rshost)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='hosts that have history';

CREATE TABLE IF NOT EXISTS tb_monitor_host_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the interval',
  length_ms int NOT NULL DEFAULT 0 COMMENT 'length of the interval',
  samples int NOT NULL DEFAULT 0 COMMENT 'samples that the averages are made of',
  recorded int NOT NULL DEFAULT 0 COMMENT 'rows in tb_monitor_process_io_info',
  cores int NOT NULL DEFAULT 0 COMMENT 'at the end of the interval',
  cpu_percent double NOT NULL DEFAULT 0 COMMENT 'CPU time used, 100 = one core',
  iowait_percent double NOT NULL DEFAULT 0 COMMENT 'idle while waiting for a disk, 100 = one core',
  steal_percent double NOT NULL DEFAULT 0 COMMENT 'taken by the hypervisor, 100 = one core',
  load1 double NOT NULL DEFAULT 0 COMMENT 'load average over one minute',
  mem_total_bytes double NOT NULL DEFAULT 0 COMMENT 'at the end of the interval',
  mem_used_bytes double NOT NULL DEFAULT 0 COMMENT 'total less available',
  read_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'asked of the disks by processes and kernel',
  write_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'asked of the disks, when the page was dirtied',
  device_read_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'what the disks really read',
  device_write_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'what the disks really wrote',
  disk_util_percent double NOT NULL DEFAULT 0 COMMENT 'of the busiest disk, 0 to 100',
  disk_queue double NOT NULL DEFAULT 0 COMMENT 'requests in flight at the busiest disk',
  net_in_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'of the interfaces that count, without loopback',
  net_out_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'of the interfaces that count, without loopback',
  processes int NOT NULL DEFAULT 0 COMMENT 'at the end of the interval',
  cpu_percent_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  mem_used_bytes_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  read_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  write_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  disk_util_percent_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  disk_queue_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  net_in_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  net_out_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  unattributed_cpu_percent double DEFAULT NULL COMMENT 'what no process accounts for',
  unattributed_read_bytes_per_sec double DEFAULT NULL COMMENT 'what no process accounts for',
  unattributed_write_bytes_per_sec double DEFAULT NULL COMMENT 'what no process accounts for',
  unattributed_net_in_bytes_per_sec double DEFAULT NULL COMMENT 'what no process accounts for',
  unattributed_net_out_bytes_per_sec double DEFAULT NULL COMMENT 'what no process accounts for',
  PRIMARY KEY (rshost, a_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what each host did, one row per interval'
PARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS tb_monitor_process_io_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the interval',
  pid int NOT NULL DEFAULT 0 COMMENT 'process',
  started bigint NOT NULL DEFAULT 0 COMMENT 'when the process started, ms since 1970',
  rsport int DEFAULT NULL COMMENT 'lowest port it listens on',
  md5_str binary(16) NOT NULL COMMENT 'its names in tb_monitor_process_info; 16 bytes instead of 32 digits',
  state varchar(255) NOT NULL COMMENT 'as in ps(1)',
  threads int NOT NULL DEFAULT 0 COMMENT 'threads',
  cpu_percent double DEFAULT NULL COMMENT 'average',
  rss_bytes double DEFAULT NULL COMMENT 'average',
  read_bytes_per_sec double DEFAULT NULL COMMENT 'average',
  write_bytes_per_sec double DEFAULT NULL COMMENT 'average',
  net_in_bytes_per_sec double DEFAULT NULL COMMENT 'average',
  net_out_bytes_per_sec double DEFAULT NULL COMMENT 'average',
  cpu_percent_max double DEFAULT NULL COMMENT 'largest sample',
  rss_bytes_max double DEFAULT NULL COMMENT 'largest sample',
  read_bytes_per_sec_max double DEFAULT NULL COMMENT 'largest sample',
  write_bytes_per_sec_max double DEFAULT NULL COMMENT 'largest sample',
  net_in_bytes_per_sec_max double DEFAULT NULL COMMENT 'largest sample',
  net_out_bytes_per_sec_max double DEFAULT NULL COMMENT 'largest sample',
  PRIMARY KEY (rshost, a_time, pid, started)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what processes used, one row per process over a threshold or among the largest, and interval'
PARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS tb_monitor_disk_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the interval',
  mount varchar(500) NOT NULL COMMENT 'mount point',
  device varchar(255) NOT NULL COMMENT 'as in tb_monitor_disk_util_qu_info',
  total_bytes double NOT NULL DEFAULT 0 COMMENT 'size',
  used_bytes double NOT NULL DEFAULT 0 COMMENT 'taken',
  PRIMARY KEY (rshost, a_time, mount)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='file systems, one row per mount point and interval'
PARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS tb_monitor_disk_util_qu_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the interval',
  device varchar(255) NOT NULL COMMENT 'block device',
  read_bytes_per_sec double DEFAULT NULL COMMENT 'average',
  write_bytes_per_sec double DEFAULT NULL COMMENT 'average',
  util_percent double DEFAULT NULL COMMENT 'time with a request in flight, 0 to 100',
  util_percent_max double DEFAULT NULL COMMENT 'largest sample',
  queue double DEFAULT NULL COMMENT 'requests in flight',
  queue_max double DEFAULT NULL COMMENT 'largest sample',
  PRIMARY KEY (rshost, a_time, device)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='load of disks, one row per device that has counters and interval'
PARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS tb_monitor_net_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the interval',
  interface varchar(255) NOT NULL COMMENT 'network interface',
  speed_bits_per_sec double DEFAULT NULL COMMENT 'of each direction',
  in_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'average',
  in_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  out_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'average',
  out_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  PRIMARY KEY (rshost, a_time, interface)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='network, one row per interface that counts for the host and interval'
PARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS tb_monitor_port_net_info (
  rshost varchar(255) NOT NULL COMMENT 'host',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'end of the interval',
  instance varchar(255) NOT NULL COMMENT 'as in tb_monitor_process_info',
  local_port int NOT NULL DEFAULT 0 COMMENT 'that it serves, else 0',
  remote_address varchar(255) NOT NULL COMMENT 'at the other end',
  remote_port int NOT NULL DEFAULT 0 COMMENT 'that it uses, else 0',
  in_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'average',
  in_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  out_bytes_per_sec double NOT NULL DEFAULT 0 COMMENT 'average',
  out_bytes_per_sec_max double NOT NULL DEFAULT 0 COMMENT 'largest sample',
  PRIMARY KEY (rshost, a_time, instance, local_port, remote_address, remote_port)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='network of instances, one row per port that is served or used, address at the other end, and interval'
PARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION p_rest VALUES LESS THAN (MAXVALUE));

CREATE TABLE IF NOT EXISTS tb_monitor_process_info (
  md5_str binary(16) NOT NULL COMMENT 'MD5 of the columns up to ports; hex(md5_str) shows it',
  cmdline text NOT NULL COMMENT 'command line, secrets masked',
  instance varchar(255) NOT NULL COMMENT 'such as mysqld:3307',
  user varchar(255) NOT NULL COMMENT 'user',
  comm varchar(255) NOT NULL COMMENT 'name of the program',
  unit varchar(255) DEFAULT NULL COMMENT 'systemd unit',
  container varchar(255) DEFAULT NULL COMMENT 'container',
  ports text NOT NULL COMMENT 'all ports it listens on, such as 3306,33060',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'last interval that used it, or up to a day before',
  PRIMARY KEY (md5_str),
  KEY idx_a_time (a_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='command lines and names of processes, each once';

CREATE TABLE IF NOT EXISTS tb_monitor_schema (
  version int NOT NULL COMMENT 'of these tables',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'when they were made or brought to it',
  PRIMARY KEY (version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what the tables are like';

INSERT IGNORE INTO tb_monitor_schema (version) VALUES (4);
