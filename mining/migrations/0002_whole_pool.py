import functools

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import customers.codes
from customers.sqlfiles import run_sql
from customers.walls import CompositeKey, Wall


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0001_initial'),
        ('mining', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='PayoutAgreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('pag',)), editable=False, max_length=32)),
                ('destination', models.CharField(max_length=32)),
                ('address', models.CharField(max_length=100, null=True)),
                ('source', models.CharField(choices=[('found', 'Found'), ('accepted', 'Accepted'), ('changed', 'Changed')], max_length=16)),
                ('agreed_by', models.CharField(max_length=254)),
                ('agreed_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='WatcherLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('wlk',)), editable=False, max_length=32)),
                ('state', models.CharField(choices=[('creating', 'Creating'), ('active', 'Active'), ('failed', 'Failed'), ('unknown', 'Unknown'), ('gone', 'Gone')], max_length=16)),
                ('origin', models.CharField(choices=[('portal', 'Portal'), ('pool', 'Pool')], max_length=16)),
                ('pool_id', models.CharField(max_length=64, null=True)),
                ('name', models.CharField(max_length=255)),
                ('url', models.CharField(max_length=1000, null=True)),
                ('permissions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('dashboard', 'Dashboard'), ('rewards', 'Rewards'), ('workers', 'Workers')], max_length=16), size=None)),
                ('lifetime', models.CharField(choices=[('1h', 'Hour'), ('24h', 'Day'), ('7d', 'Week'), ('always', 'Always')], max_length=8, null=True)),
                ('live_until', models.DateTimeField(null=True)),
                ('shows_others', models.BooleanField(default=False)),
                ('renews', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, default='', max_length=500)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='credential',
            name='mining_credential_key_once',
        ),
        migrations.RemoveConstraint(
            model_name='poolintent',
            name='mining_intent_one_open',
        ),
        migrations.AddField(
            model_name='credential',
            name='accounts_seen',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='credential',
            name='endpoints',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='miningaccount',
            name='payout_drift_since',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='poolintent',
            name='payout_address',
            field=models.CharField(max_length=100, null=True),
        ),
        migrations.AddField(
            model_name='poolintent',
            name='payout_destination',
            field=models.CharField(max_length=32, null=True),
        ),
        migrations.AddField(
            model_name='syncrun',
            name='asked',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='syncrun',
            name='resume_after',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='poolintent',
            name='kind',
            field=models.CharField(choices=[('create_account', 'Create Account'), ('adopt_account', 'Adopt Account'), ('create_link', 'Create Link'), ('edit_payout', 'Edit Payout')], max_length=32),
        ),
        migrations.AlterField(
            model_name='syncrun',
            name='subject',
            field=models.CharField(choices=[('accounts', 'Accounts'), ('rewards', 'Rewards'), ('hashrate', 'Hashrate'), ('workers', 'Workers'), ('payouts', 'Payouts'), ('watchers', 'Watchers'), ('key', 'Key')], max_length=16),
        ),
        migrations.AddConstraint(
            model_name='credential',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'retired'), _negated=True), fields=('key_digest',), name='mining_credential_key_once'),
        ),
        migrations.AddField(
            model_name='payoutagreement',
            name='customer',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer'),
        ),
        migrations.AddField(
            model_name='payoutagreement',
            name='mining_account',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='payout_agreements', to='mining.miningaccount'),
        ),
        migrations.AddField(
            model_name='payoutagreement',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider'),
        ),
        migrations.AddField(
            model_name='watcherlink',
            name='customer',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer'),
        ),
        migrations.AddField(
            model_name='watcherlink',
            name='mining_account',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='watcher_links', to='mining.miningaccount'),
        ),
        migrations.AddField(
            model_name='watcherlink',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider'),
        ),
        migrations.AddField(
            model_name='watcherlink',
            name='successor',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='mining.watcherlink'),
        ),
        migrations.AddField(
            model_name='poolintent',
            name='watcher_link',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='intents', to='mining.watcherlink'),
        ),
        migrations.AddConstraint(
            model_name='poolintent',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['planned', 'called']), models.Q(('kind', 'create_link'), _negated=True)), fields=('provider', 'mining_account'), name='mining_intent_one_open'),
        ),
        migrations.AddConstraint(
            model_name='poolintent',
            constraint=models.UniqueConstraint(condition=models.Q(('watcher_link__isnull', False)), fields=('provider', 'watcher_link'), name='mining_intent_one_per_link'),
        ),
        migrations.AddIndex(
            model_name='payoutagreement',
            index=models.Index(fields=['provider', 'mining_account', '-id'], name='mining_agreement_newest'),
        ),
        migrations.AddConstraint(
            model_name='payoutagreement',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_agreement_code'),
        ),
        migrations.AddConstraint(
            model_name='payoutagreement',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('address', None), ('destination', 'main_balance')), models.Q(('address__isnull', False), ('destination', 'external_address')), _connector='OR'), name='mining_agreement_whole'),
        ),
        migrations.AddIndex(
            model_name='watcherlink',
            index=models.Index(fields=['provider', '-id'], name='mining_link_newest'),
        ),
        migrations.AddIndex(
            model_name='watcherlink',
            index=models.Index(fields=['provider', 'mining_account', '-id'], name='mining_link_account'),
        ),
        migrations.AddConstraint(
            model_name='watcherlink',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_link_code'),
        ),
        migrations.AddConstraint(
            model_name='watcherlink',
            constraint=models.UniqueConstraint(fields=('provider', 'mining_account', 'pool_id'), name='mining_link_once'),
        ),
        migrations.AddConstraint(
            model_name='watcherlink',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'active'), _negated=True), models.Q(('pool_id__isnull', False), ('seen_at__isnull', False), ('url__isnull', False)), _connector='OR'), name='mining_link_active_is_known'),
        ),
        migrations.AddConstraint(
            model_name='watcherlink',
            constraint=models.CheckConstraint(condition=models.Q(('renews', False), models.Q(('lifetime', '7d'), ('origin', 'portal')), _connector='OR'), name='mining_link_renews_weekly'),
        ),
        Wall("PayoutAgreement", customer="customer_id"),
        Wall("WatcherLink", customer="customer_id"),
        CompositeKey("PoolIntent", "watcher_link"),
        run_sql(__file__, "link_follows_account"),
    ]
