import { after, before } from 'node:test';
import { MysqlStore } from '../../src/store/mysql.ts';
import { MariaDb } from '../support/mariadb.ts';
import { storeContract } from './contract.ts';
import { emptyDatabase } from './mysql-database.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

storeContract('mysql', async () => {
  const { address, remove } = await emptyDatabase(mariadb);
  return { store: new MysqlStore(address), remove };
});
