import functools

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import customers.codes
from customers.sqlfiles import run_sql
from customers.walls import Wall


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('customers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='MiningAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('acc',)), editable=False, max_length=32)),
                ('label', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=255)),
                ('state', models.CharField(choices=[('creating', 'Creating'), ('active', 'Active'), ('unknown', 'Unknown'), ('disabled', 'Disabled')], max_length=16)),
                ('first_seen_at', models.DateTimeField()),
                ('created_at_pool', models.DateTimeField(null=True)),
                ('unlisted_since', models.DateTimeField(null=True)),
                ('silent_since', models.DateTimeField(null=True)),
                ('refused_since', models.DateTimeField(null=True)),
                ('payout_destination', models.CharField(max_length=32, null=True)),
                ('payout_address', models.CharField(max_length=100, null=True)),
                ('payout_read_at', models.DateTimeField(null=True)),
                ('workers_online', models.PositiveIntegerField(null=True)),
                ('workers_low', models.PositiveIntegerField(null=True)),
                ('workers_offline', models.PositiveIntegerField(null=True)),
                ('pool_fee_percent', models.DecimalField(decimal_places=4, max_digits=7, null=True)),
                ('workers_read_at', models.DateTimeField(null=True)),
                ('hashrate_read_at', models.DateTimeField(null=True)),
                ('rewards_read_at', models.DateTimeField(null=True)),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='mining_accounts', to='customers.customer')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='HashratePoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('hashrate_ths', models.DecimalField(decimal_places=6, max_digits=20)),
                ('reject_rate', models.DecimalField(decimal_places=6, max_digits=9, null=True)),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('mining_account', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='hashrate_points', to='mining.miningaccount')),
            ],
        ),
        migrations.CreateModel(
            name='PoolIntent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('int',)), editable=False, max_length=32)),
                ('kind', models.CharField(choices=[('create_account', 'Create Account'), ('adopt_account', 'Adopt Account')], max_length=32)),
                ('state', models.CharField(choices=[('planned', 'Planned'), ('called', 'Called'), ('done', 'Done'), ('failed', 'Failed'), ('unknown', 'Unknown')], default='planned', max_length=16)),
                ('label', models.CharField(max_length=64)),
                ('account_name', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField()),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('called_at', models.DateTimeField(null=True)),
                ('settled_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, default='', max_length=500)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='pool_intents', to='customers.customer')),
                ('mining_account', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='intents', to='mining.miningaccount')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='Reward',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('rwd',)), editable=False, max_length=32)),
                ('reward_at', models.DateTimeField()),
                ('day', models.DateField()),
                ('currency', models.CharField(max_length=16)),
                ('occurrence', models.PositiveSmallIntegerField()),
                ('total_raw', models.CharField(max_length=64)),
                ('net_raw', models.CharField(max_length=64)),
                ('fee_raw', models.CharField(max_length=64)),
                ('total_amount', models.DecimalField(decimal_places=18, max_digits=38)),
                ('net_amount', models.DecimalField(decimal_places=18, max_digits=38)),
                ('fee_amount', models.DecimalField(decimal_places=18, max_digits=38)),
                ('total_sat', models.BigIntegerField()),
                ('net_sat', models.BigIntegerField()),
                ('fee_sat', models.BigIntegerField()),
                ('fpps_rate', models.DecimalField(decimal_places=18, max_digits=38, null=True)),
                ('hashrate_hs', models.DecimalField(decimal_places=6, max_digits=38, null=True)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('successful', 'Successful'), ('canceled', 'Canceled'), ('unknown', 'Unknown')], max_length=16)),
                ('status_raw', models.CharField(max_length=64)),
                ('payout_destination', models.CharField(choices=[('main_balance', 'Main Balance'), ('external_address', 'External Address'), ('unknown', 'Unknown')], max_length=32)),
                ('payout_address', models.CharField(max_length=128, null=True)),
                ('transaction_hash', models.CharField(max_length=128, null=True)),
                ('paid_at', models.DateTimeField(null=True)),
                ('fingerprint', models.CharField(max_length=64)),
                ('first_seen_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
                ('missing_since', models.DateTimeField(null=True)),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rewards', to='customers.customer')),
                ('mining_account', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='rewards', to='mining.miningaccount')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='SyncRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('run',)), editable=False, max_length=32)),
                ('label', models.CharField(max_length=64)),
                ('subject', models.CharField(choices=[('accounts', 'Accounts'), ('rewards', 'Rewards'), ('hashrate', 'Hashrate'), ('workers', 'Workers'), ('payouts', 'Payouts'), ('key', 'Key')], max_length=16)),
                ('depth', models.CharField(blank=True, choices=[('recent', 'Recent'), ('deep', 'Deep'), ('full', 'Full')], default='', max_length=16)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('ok', 'Ok'), ('partial', 'Partial'), ('failed', 'Failed')], max_length=16)),
                ('queued_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('calls', models.PositiveIntegerField(default=0)),
                ('rows_new', models.PositiveIntegerField(default=0)),
                ('rows_changed', models.PositiveIntegerField(default=0)),
                ('quarantined', models.PositiveIntegerField(default=0)),
                ('error', models.CharField(blank=True, default='', max_length=500)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='RewardObservation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seen_at', models.DateTimeField()),
                ('fingerprint', models.CharField(max_length=64)),
                ('raw', models.TextField()),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('reward', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='observations', to='mining.reward')),
                ('sync_run', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='mining.syncrun')),
            ],
        ),
        migrations.CreateModel(
            name='QuarantinedRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('qtn',)), editable=False, max_length=32)),
                ('label', models.CharField(max_length=64)),
                ('account_name', models.CharField(blank=True, default='', max_length=255)),
                ('reason', models.CharField(max_length=64)),
                ('fingerprint', models.CharField(max_length=64)),
                ('raw', models.TextField()),
                ('seen_at', models.DateTimeField()),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('sync_run', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='mining.syncrun')),
            ],
        ),
        migrations.CreateModel(
            name='Credential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('crd',)), editable=False, max_length=32)),
                ('label', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('checking', 'Checking'), ('active', 'Active'), ('refused', 'Refused'), ('retired', 'Retired')], default='checking', max_length=16)),
                ('sealed_api_key', models.TextField()),
                ('sealed_secret', models.TextField()),
                ('key_digest', models.CharField(max_length=64)),
                ('key_hint', models.CharField(max_length=8)),
                ('created_at', models.DateTimeField()),
                ('checked_at', models.DateTimeField(null=True)),
                ('verified_at', models.DateTimeField(null=True)),
                ('last_success_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, default='', max_length=500)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'code'), name='mining_credential_code'), models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('provider', 'label'), name='mining_credential_one_active'), models.UniqueConstraint(condition=models.Q(('state', 'retired'), _negated=True), fields=('provider', 'key_digest'), name='mining_credential_key_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='miningaccount',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_account_code'),
        ),
        migrations.AddConstraint(
            model_name='miningaccount',
            constraint=models.UniqueConstraint(fields=('provider', 'label', 'name'), name='mining_account_name'),
        ),
        migrations.AddConstraint(
            model_name='miningaccount',
            constraint=models.UniqueConstraint(fields=('provider', 'customer'), name='mining_account_one_per_customer'),
        ),
        migrations.AddConstraint(
            model_name='hashratepoint',
            constraint=models.UniqueConstraint(fields=('provider', 'mining_account', 'at'), name='mining_point_once'),
        ),
        migrations.AddConstraint(
            model_name='hashratepoint',
            constraint=models.CheckConstraint(condition=models.Q(('hashrate_ths__gte', 0)), name='mining_point_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='poolintent',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_intent_code'),
        ),
        migrations.AddConstraint(
            model_name='poolintent',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['planned', 'called'])), fields=('provider', 'mining_account'), name='mining_intent_one_open'),
        ),
        migrations.AddIndex(
            model_name='reward',
            index=models.Index(fields=['provider', '-day', '-id'], name='mining_reward_day'),
        ),
        migrations.AddIndex(
            model_name='reward',
            index=models.Index(fields=['provider', 'customer', '-day', '-id'], name='mining_reward_customer_day'),
        ),
        migrations.AddConstraint(
            model_name='reward',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_reward_code'),
        ),
        migrations.AddConstraint(
            model_name='reward',
            constraint=models.UniqueConstraint(fields=('provider', 'mining_account', 'reward_at', 'currency', 'occurrence'), name='mining_reward_identity'),
        ),
        migrations.AddConstraint(
            model_name='reward',
            constraint=models.CheckConstraint(condition=models.Q(('total_sat', django.db.models.expressions.CombinedExpression(models.F('net_sat'), '+', models.F('fee_sat')))), name='mining_reward_sat_identity'),
        ),
        migrations.AddConstraint(
            model_name='reward',
            constraint=models.CheckConstraint(condition=models.Q(('total_amount', django.db.models.expressions.CombinedExpression(models.F('net_amount'), '+', models.F('fee_amount')))), name='mining_reward_amount_identity'),
        ),
        migrations.AddConstraint(
            model_name='reward',
            constraint=models.CheckConstraint(condition=models.Q(('fee_sat__gte', -1), ('net_sat__gte', 0)), name='mining_reward_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='reward',
            constraint=models.CheckConstraint(condition=models.Q(('occurrence__gte', 1)), name='mining_reward_occurrence'),
        ),
        migrations.AddIndex(
            model_name='syncrun',
            index=models.Index(fields=['provider', '-id'], name='mining_run_newest'),
        ),
        migrations.AddIndex(
            model_name='syncrun',
            index=models.Index(fields=['provider', 'label', 'subject', '-id'], name='mining_run_subject'),
        ),
        migrations.AddIndex(
            model_name='syncrun',
            index=models.Index(fields=['provider', 'queued_at'], name='mining_run_queued'),
        ),
        migrations.AddIndex(
            model_name='hashratepoint',
            index=models.Index(fields=['provider', 'at'], name='mining_point_at'),
        ),
        migrations.AddConstraint(
            model_name='syncrun',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_run_code'),
        ),
        migrations.AddConstraint(
            model_name='syncrun',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['queued', 'running'])), fields=('provider', 'label', 'subject'), name='mining_run_one_open'),
        ),
        migrations.AddIndex(
            model_name='rewardobservation',
            index=models.Index(fields=['provider', 'reward', 'seen_at'], name='mining_observation_reward'),
        ),
        migrations.AddConstraint(
            model_name='quarantinedrecord',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='mining_quarantine_code'),
        ),
        migrations.AddConstraint(
            model_name='quarantinedrecord',
            constraint=models.UniqueConstraint(fields=('provider', 'label', 'fingerprint', 'reason'), name='mining_quarantine_once'),
        ),
        Wall("Credential"),
        Wall("MiningAccount", customer="customer_id"),
        Wall("PoolIntent"),
        Wall("SyncRun"),
        Wall("Reward", customer="customer_id"),
        Wall("RewardObservation"),
        Wall("QuarantinedRecord"),
        Wall("HashratePoint", customer="customer_id"),
        run_sql(__file__, "account_stays"),
        run_sql(__file__, "reward_follows_account"),
    ]
