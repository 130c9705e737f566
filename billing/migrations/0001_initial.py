import functools

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.constraints
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import customers.codes
from customers.row_security import Wall
from customers.sqlfiles import run_sql


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('customers', '0001_initial'),
        ('mining', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Contract',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('con',)), editable=False, max_length=32)),
                ('created_at', models.DateTimeField()),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='contracts', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='ContractVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('ver',)), editable=False, max_length=32)),
                ('valid', django.contrib.postgres.fields.ranges.DateRangeField()),
                ('settle_in', models.CharField(default='btc', max_length=8)),
                ('minimum_sat', models.BigIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('withdrawn_at', models.DateTimeField(null=True)),
                ('withdrawn_by', models.CharField(blank=True, default='', max_length=254)),
                ('contract', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='billing.contract')),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='ContractComponent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('kind', models.CharField(choices=[('revenue_share', 'Revenue Share')], max_length=32)),
                ('share_ppm', models.PositiveIntegerField()),
                ('basis', models.CharField(choices=[('net', 'Net'), ('gross', 'Gross')], max_length=8)),
                ('pool_fee_borne_by', models.CharField(choices=[('customer', 'Customer'), ('provider', 'Provider'), ('shared', 'Shared')], max_length=16)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('version', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='components', to='billing.contractversion')),
            ],
        ),
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('doc',)), editable=False, max_length=32)),
                ('period', django.contrib.postgres.fields.ranges.DateRangeField()),
                ('asset', models.CharField(default='BTC', max_length=8)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('issued', 'Issued'), ('voided', 'Voided'), ('written_off', 'Written Off'), ('carried', 'Carried'), ('discarded', 'Discarded')], default='draft', max_length=16)),
                ('type', models.CharField(choices=[('settlement', 'Settlement'), ('invoice', 'Invoice')], max_length=16)),
                ('balance_sat', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
                ('computed_at', models.DateTimeField()),
                ('series', models.CharField(max_length=16, null=True)),
                ('sequence', models.PositiveIntegerField(null=True)),
                ('number', models.CharField(max_length=32, null=True)),
                ('issued_at', models.DateTimeField(null=True)),
                ('issued_on', models.DateField(null=True)),
                ('due_on', models.DateField(null=True)),
                ('snapshot', models.JSONField(null=True)),
                ('counts', models.GeneratedField(db_persist=True, expression=models.Q(('status__in', ['issued', 'written_off'])), output_field=models.BooleanField())),
                ('contract', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='billing.contract')),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='DocumentFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('pdf', 'PDF'), ('csv', 'CSV')], max_length=8)),
                ('content', models.BinaryField()),
                ('sha256', models.CharField(max_length=64)),
                ('version', models.PositiveSmallIntegerField()),
                ('created_at', models.DateTimeField()),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='files', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='FileAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('pdf', 'PDF'), ('csv', 'CSV')], max_length=8)),
                ('tries', models.PositiveIntegerField()),
                ('tried_at', models.DateTimeField()),
                ('retry_at', models.DateTimeField()),
                ('problem', models.CharField(blank=True, default='', max_length=300)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='file_attempts', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='DocumentLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('regular', 'Regular'), ('correction', 'Correction')], max_length=16)),
                ('component', models.CharField(choices=[('pay_customer', 'Pay Customer'), ('bill_customer', 'Bill Customer')], max_length=16)),
                ('day', models.DateField()),
                ('amount_sat', models.BigIntegerField()),
                ('net_sat', models.BigIntegerField()),
                ('provider_share_sat', models.BigIntegerField()),
                ('customer_share_sat', models.BigIntegerField()),
                ('reason', models.CharField(blank=True, choices=[('late', 'Late'), ('carried', 'Carried'), ('status_changed', 'Status Changed'), ('amount_changed', 'Amount Changed'), ('destination_changed', 'Destination Changed'), ('contract_changed', 'Contract Changed')], default='', max_length=32)),
                ('facts', models.JSONField()),
                ('corrects', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.documentline')),
                ('customer', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('reward', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='mining.reward')),
                ('version', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.contractversion')),
            ],
        ),
        migrations.CreateModel(
            name='DocumentSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('series', models.CharField(max_length=16)),
                ('last_sequence', models.PositiveIntegerField(default=0)),
                ('last_issued_on', models.DateField(null=True)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='DocumentMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('mov',)), editable=False, max_length=32)),
                ('to_status', models.CharField(choices=[('draft', 'Draft'), ('issued', 'Issued'), ('voided', 'Voided'), ('written_off', 'Written Off'), ('carried', 'Carried'), ('discarded', 'Discarded')], max_length=16)),
                ('asset', models.CharField(max_length=8)),
                ('amount', models.BigIntegerField()),
                ('reason', models.CharField(max_length=200)),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=254)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='moves', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='DocumentOpen',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asset', models.CharField(max_length=8)),
                ('total', models.BigIntegerField()),
                ('settled', models.BigIntegerField()),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='opened', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='Fund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('pay',)), editable=False, max_length=32)),
                ('paid_by', models.CharField(choices=[('customer', 'Customer'), ('provider', 'Provider')], max_length=16)),
                ('asset', models.CharField(max_length=8)),
                ('amount', models.BigIntegerField()),
                ('amount_left', models.BigIntegerField()),
                ('source', models.CharField(choices=[('bitcoin', 'Bitcoin'), ('bank', 'Bank')], max_length=16)),
                ('ref', models.CharField(max_length=100)),
                ('received_on', models.DateField()),
                ('note', models.CharField(blank=True, default='', max_length=200)),
                ('recorded_at', models.DateTimeField()),
                ('recorded_by', models.CharField(max_length=254)),
                ('taken_back', models.BooleanField(default=False)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='funds', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='Allocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('alc',)), editable=False, max_length=32)),
                ('asset', models.CharField(max_length=8)),
                ('amount', models.BigIntegerField()),
                ('reason', models.CharField(blank=True, default='', max_length=200)),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=254)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('reverses', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='billing.allocation')),
                ('fund', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='billing.fund')),
            ],
        ),
        migrations.CreateModel(
            name='PaymentTerms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_days', models.PositiveSmallIntegerField(default=14)),
                ('bitcoin_address', models.CharField(blank=True, default='', max_length=128)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='JournalTx',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('jtx',)), editable=False, max_length=32)),
                ('posted_at', models.DateTimeField()),
                ('effective_on', models.DateField()),
                ('event_key', models.CharField(max_length=100)),
                ('legs', models.PositiveSmallIntegerField()),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('reverses', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.journaltx')),
                ('document', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='billing.document')),
                ('fund', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='billing.fund')),
            ],
        ),
        migrations.CreateModel(
            name='LedgerAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(choices=[('payable', 'Payable'), ('receivable', 'Receivable'), ('credit', 'Credit'), ('advance', 'Advance'), ('bank', 'Bank'), ('custody:main_balance', 'Custody'), ('income:revenue_share', 'Income Revenue Share'), ('expense:write_off', 'Write Off')], max_length=32)),
                ('asset', models.CharField(max_length=8)),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='JournalEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asset', models.CharField(max_length=8)),
                ('amount_sat', models.BigIntegerField()),
                ('legs', models.PositiveSmallIntegerField()),
                ('leg', models.PositiveSmallIntegerField()),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('tx', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.journaltx')),
                ('account', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.ledgeraccount')),
            ],
        ),
        migrations.CreateModel(
            name='RewardApproval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('destination', models.CharField(max_length=32)),
                ('address', models.CharField(max_length=128, null=True)),
                ('approved_by', models.CharField(max_length=254)),
                ('approved_at', models.DateTimeField()),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('reward', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='mining.reward')),
            ],
        ),
        migrations.CreateModel(
            name='OmissionPass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause', models.CharField(max_length=255)),
                ('note', models.CharField(max_length=500)),
                ('passed_by', models.CharField(max_length=254)),
                ('passed_at', models.DateTimeField()),
                ('customer', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('document', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='passes', to='billing.document')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='TermsNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('words_before', models.CharField(blank=True, default='', max_length=255)),
                ('rewards', models.PositiveIntegerField()),
                ('difference_sat', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
                ('tried_at', models.DateTimeField(null=True)),
                ('mailed_to', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=254), default=list, size=None)),
                ('told_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, default='', max_length=500)),
                ('customer', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
                ('version', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.contractversion')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('told_at', None)), fields=['provider', 'id'], name='billing_terms_notice_untold')],
                'constraints': [models.UniqueConstraint(fields=('provider', 'version'), name='billing_terms_notice_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='contract',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_contract_code'),
        ),
        migrations.AddConstraint(
            model_name='contract',
            constraint=models.UniqueConstraint(fields=('provider', 'customer'), name='billing_contract_one_per_customer'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('withdrawn_at', None), ('withdrawn_by', '')), models.Q(('withdrawn_at__isnull', False), models.Q(('withdrawn_by', ''), _negated=True)), _connector='OR'), name='billing_version_withdrawn_by'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.CheckConstraint(condition=models.Q(('minimum_sat__gte', 0)), name='billing_version_minimum'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_version_code'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.CheckConstraint(condition=models.Q(('settle_in', 'btc')), name='billing_version_settle_in'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=models.CheckConstraint(condition=models.Q(('valid__isempty', False), ('valid__startswith__isnull', False)), name='billing_version_bounded'),
        ),
        migrations.AddConstraint(
            model_name='contractversion',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(condition=models.Q(('withdrawn_at', None)), deferrable=django.db.models.constraints.Deferrable['IMMEDIATE'], expressions=[(models.Func(models.F('provider_id'), models.F('provider_id'), models.Value('[]'), function='int8range'), '&&'), (models.Func(models.F('contract_id'), models.F('contract_id'), models.Value('[]'), function='int8range'), '&&'), ('valid', '&&')], name='billing_version_no_overlap'),
        ),
        migrations.AddConstraint(
            model_name='contractcomponent',
            constraint=models.UniqueConstraint(fields=('provider', 'version', 'position'), name='billing_component_position'),
        ),
        migrations.AddConstraint(
            model_name='contractcomponent',
            constraint=models.CheckConstraint(condition=models.Q(('share_ppm__lte', 1000000)), name='billing_component_share'),
        ),
        migrations.AddConstraint(
            model_name='contractcomponent',
            constraint=models.CheckConstraint(condition=models.Q(('basis', 'gross'), models.Q(('basis', 'net'), ('pool_fee_borne_by', 'shared')), _connector='OR'), name='billing_component_fee'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['provider', '-id'], name='billing_document_newest'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['provider', 'customer', '-id'], name='billing_document_customer'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_document_code'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(fields=('provider', 'series', 'sequence'), name='billing_document_sequence'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(fields=('provider', 'number'), name='billing_document_number'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('due_on__isnull', False), ('issued_at__isnull', False), ('issued_on__isnull', False), ('number__isnull', False), ('sequence__isnull', False), ('series__isnull', False), ('snapshot__isnull', False), ('status__in', ['issued', 'voided', 'written_off'])), models.Q(('due_on', None), ('issued_at', None), ('issued_on', None), ('number', None), ('sequence', None), ('series', None), ('snapshot', None), ('status__in', ['draft', 'carried', 'discarded'])), _connector='OR'), name='billing_document_number_when_issued'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('balance_sat__gte', 0), ('type', 'settlement')), models.Q(('balance_sat__lt', 0), ('type', 'invoice')), _connector='OR'), name='billing_document_type_by_sign'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(condition=models.Q(('status__in', ['discarded', 'voided']), _negated=True), expressions=[(models.Func(models.F('provider_id'), models.F('provider_id'), models.Value('[]'), function='int8range'), '&&'), (models.Func(models.F('contract_id'), models.F('contract_id'), models.Value('[]'), function='int8range'), '&&'), ('period', '&&')], name='billing_document_period_once'),
        ),
        migrations.AddConstraint(
            model_name='documentfile',
            constraint=models.UniqueConstraint(fields=('provider', 'document', 'kind'), name='billing_file_once'),
        ),
        migrations.AddConstraint(
            model_name='fileattempt',
            constraint=models.UniqueConstraint(fields=('provider', 'document', 'kind'), name='billing_attempt_once'),
        ),
        migrations.AddIndex(
            model_name='documentline',
            index=models.Index(fields=['provider', 'reward'], name='billing_line_reward'),
        ),
        migrations.AddIndex(
            model_name='documentline',
            index=models.Index(condition=models.Q(('corrects__isnull', False)), fields=['provider', 'corrects'], name='billing_line_corrects'),
        ),
        migrations.AddConstraint(
            model_name='documentline',
            constraint=models.UniqueConstraint(fields=('provider', 'document', 'position'), name='billing_line_position'),
        ),
        migrations.AddConstraint(
            model_name='documentline',
            constraint=models.UniqueConstraint(fields=('provider', 'document', 'reward', 'component'), name='billing_line_once'),
        ),
        migrations.AddConstraint(
            model_name='documentline',
            constraint=models.CheckConstraint(condition=models.Q(('net_sat', django.db.models.expressions.CombinedExpression(models.F('provider_share_sat'), '+', models.F('customer_share_sat')))), name='billing_line_parts'),
        ),
        migrations.AddConstraint(
            model_name='documentline',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount_sat', models.F('customer_share_sat')), ('component', 'pay_customer')), models.Q(('amount_sat', django.db.models.expressions.CombinedExpression(models.F('provider_share_sat'), '*', models.Value(-1))), ('component', 'bill_customer')), _connector='OR'), name='billing_line_amount'),
        ),
        migrations.AddConstraint(
            model_name='documentline',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('corrects', None), ('kind', 'regular'), ('reason', '')), models.Q(('corrects', None), ('kind', 'correction'), ('reason__in', ['late', 'carried'])), models.Q(('corrects__isnull', False), ('kind', 'correction'), ('reason__in', ['status_changed', 'amount_changed', 'destination_changed', 'contract_changed'])), _connector='OR'), name='billing_line_reason'),
        ),
        migrations.AddConstraint(
            model_name='documentseries',
            constraint=models.UniqueConstraint(fields=('provider', 'series'), name='billing_series_once'),
        ),
        migrations.AddConstraint(
            model_name='journaltx',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_tx_code'),
        ),
        migrations.AddConstraint(
            model_name='journaltx',
            constraint=models.UniqueConstraint(fields=('provider', 'event_key'), name='billing_tx_event_once'),
        ),
        migrations.AddConstraint(
            model_name='journaltx',
            constraint=models.UniqueConstraint(fields=('provider', 'reverses'), name='billing_tx_reversed_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgeraccount',
            constraint=models.UniqueConstraint(fields=('provider', 'name', 'customer', 'asset'), name='billing_ledger_account_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='journaltx',
            constraint=models.UniqueConstraint(fields=('provider', 'id', 'legs'), name='billing_tx_legs'),
        ),
        migrations.AddConstraint(
            model_name='journaltx',
            constraint=models.CheckConstraint(condition=models.Q(('legs__gte', 2)), name='billing_tx_two_legs'),
        ),
        migrations.AddConstraint(
            model_name='ledgeraccount',
            constraint=models.UniqueConstraint(fields=('provider', 'id', 'asset'), name='billing_ledger_account_asset'),
        ),
        migrations.AddConstraint(
            model_name='ledgeraccount',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('customer__isnull', False), ('name__in', ['payable', 'receivable', 'credit', 'advance'])), models.Q(models.Q(('name__in', ['payable', 'receivable', 'credit', 'advance']), _negated=True), ('customer', None)), _connector='OR'), name='billing_ledger_account_customer'),
        ),
        migrations.AddConstraint(
            model_name='journalentry',
            constraint=models.CheckConstraint(condition=models.Q(('amount_sat', 0), _negated=True), name='billing_entry_not_zero'),
        ),
        migrations.AddConstraint(
            model_name='journalentry',
            constraint=models.CheckConstraint(condition=models.Q(('leg__gte', 1), ('leg__lte', models.F('legs'))), name='billing_entry_leg'),
        ),
        migrations.AddConstraint(
            model_name='journalentry',
            constraint=models.UniqueConstraint(fields=('provider', 'tx', 'leg'), name='billing_entry_leg_once'),
        ),
        migrations.AddConstraint(
            model_name='rewardapproval',
            constraint=models.UniqueConstraint(fields=('provider', 'reward', 'destination', 'address'), name='billing_approval_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='rewardapproval',
            constraint=models.CheckConstraint(condition=models.Q(('destination', 'main_balance'), ('destination', 'external_address'), _connector='OR'), name='billing_approval_destination'),
        ),
        migrations.AddIndex(
            model_name='omissionpass',
            index=models.Index(fields=['provider', 'customer', 'cause'], name='billing_omission_pass_cause'),
        ),
        migrations.AddConstraint(
            model_name='omissionpass',
            constraint=models.UniqueConstraint(fields=('provider', 'document', 'cause'), name='billing_omission_pass_once'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'written_off'), _negated=True), ('type', 'invoice'), _connector='OR'), name='billing_document_written_off'),
        ),
        migrations.AddConstraint(
            model_name='documentmove',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_move_code'),
        ),
        migrations.AddConstraint(
            model_name='documentmove',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('to_status__in', ['issued', 'voided', 'written_off']), models.Q(('reason', ''), _negated=True)), name='billing_move_said'),
        ),
        migrations.AddConstraint(
            model_name='documentopen',
            constraint=models.UniqueConstraint(fields=('provider', 'document'), name='billing_open_once'),
        ),
        migrations.AddConstraint(
            model_name='documentopen',
            constraint=models.CheckConstraint(condition=models.Q(('settled__gte', 0), ('settled__lte', models.F('total'))), name='billing_open_settled'),
        ),
        migrations.AddIndex(
            model_name='fund',
            index=models.Index(fields=['provider', '-id'], name='billing_fund_newest'),
        ),
        migrations.AddIndex(
            model_name='fund',
            index=models.Index(fields=['provider', 'customer', '-id'], name='billing_fund_customer'),
        ),
        migrations.AddConstraint(
            model_name='fund',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_fund_code'),
        ),
        migrations.AddConstraint(
            model_name='fund',
            constraint=models.UniqueConstraint(condition=models.Q(('taken_back', False)), fields=('provider', 'source', 'ref'), name='billing_fund_ref_once'),
        ),
        migrations.AddConstraint(
            model_name='fund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount_left__gte', 0), ('amount_left__lte', models.F('amount'))), name='billing_fund_left'),
        ),
        migrations.AddConstraint(
            model_name='fund',
            constraint=models.CheckConstraint(condition=models.Q(('taken_back', False), ('amount_left', 0), _connector='OR'), name='billing_fund_taken_back'),
        ),
        migrations.AddConstraint(
            model_name='fund',
            constraint=models.CheckConstraint(condition=models.Q(('paid_by__in', ['customer', 'provider'])), name='billing_fund_paid_by'),
        ),
        migrations.AddConstraint(
            model_name='fund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('asset', 'BTC'), ('ref__regex', '^[0-9a-f]{64}:(0|[1-9][0-9]{0,9})$'), ('source', 'bitcoin')), models.Q(('source', 'bank'), models.Q(('ref', ''), _negated=True)), _connector='OR'), name='billing_fund_ref'),
        ),
        migrations.AddIndex(
            model_name='allocation',
            index=models.Index(fields=['provider', 'fund'], name='billing_allocation_fund'),
        ),
        migrations.AddIndex(
            model_name='allocation',
            index=models.Index(condition=models.Q(('document__isnull', False)), fields=['provider', 'document'], name='billing_allocation_document'),
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='billing_allocation_code'),
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.UniqueConstraint(fields=('provider', 'reverses'), name='billing_allocation_reversed_once'),
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('reverses', None)), models.Q(('amount__lt', 0), ('reverses__isnull', False)), _connector='OR'), name='billing_allocation_sign'),
        ),
        migrations.AddConstraint(
            model_name='paymentterms',
            constraint=models.UniqueConstraint(fields=('provider',), name='billing_payment_terms_one'),
        ),
        migrations.AddConstraint(
            model_name='paymentterms',
            constraint=models.CheckConstraint(condition=models.Q(('due_days__lte', 365)), name='billing_payment_terms_due'),
        ),
        Wall("Contract", customer="customer_id"),
        Wall("ContractVersion", customer="customer_id"),
        Wall("ContractComponent", customer="customer_id"),
        Wall("Document", customer="customer_id"),
        Wall("DocumentLine", customer="customer_id"),
        Wall("DocumentSeries"),
        Wall("DocumentFile", customer="customer_id"),
        Wall("FileAttempt", customer="customer_id"),
        Wall("Fund", customer="customer_id"),
        Wall("LedgerAccount"),
        Wall("JournalTx"),
        Wall("JournalEntry"),
        Wall("RewardApproval", customer="customer_id"),
        Wall("OmissionPass", customer="customer_id"),
        Wall("TermsNotice", customer="customer_id"),
        Wall("Allocation", customer="customer_id"),
        Wall("DocumentOpen", customer="customer_id"),
        Wall("DocumentMove", customer="customer_id"),
        Wall("PaymentTerms"),
        run_sql(__file__, "split"),
        run_sql(__file__, "documents_frozen"),
        run_sql(__file__, "lines_of_drafts"),
        run_sql(__file__, "numbers_without_gaps"),
        run_sql(__file__, "terms_kept"),
        run_sql(__file__, "journal_balanced"),
        run_sql(__file__, "append_only"),
        run_sql(__file__, "held_documents"),
        run_sql(__file__, "omissions"),
        run_sql(__file__, "payments"),
    ]
