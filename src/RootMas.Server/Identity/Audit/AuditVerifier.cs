using System.Globalization;
using System.Security.Cryptography;

namespace RootMas.Server.Identity.Audit;

/// <summary>What a check of the chain found.</summary>
/// <param name="Rows">Rows that are there.</param>
/// <param name="Head">The end of the chain, to be kept elsewhere.</param>
/// <param name="Problems">What is wrong, in the order of the rows; empty: nothing was changed, removed or added.</param>
public sealed record AuditCheck(long Rows, AuditHead Head, IReadOnlyList<string> Problems)
{
    /// <summary>Rows that were passed over because their key is not here.</summary>
    public long OfOtherKeys { get; init; }
}

/// <summary>Walks the whole chain with the key.</summary>
public sealed class AuditVerifier(AuditStore store, IReadOnlyCollection<AuditKey> keys)
{
    private const int PageSize = 1_000;
    private const int MostProblems = 100;

    private readonly List<string> _problems = [];
    private long _ofOtherKeys;

    /// <summary>Rows of keys that are not here are counted and not a problem: a backup is compared with its source, whose earlier keys may be lost for good.</summary>
    public bool PassesOverOtherKeys { get; init; }

    /// <param name="known">A head from the log or a backup: the chain must still contain it. This is what finds a tail that was cut off together with the stored head.</param>
    public async Task<AuditCheck> RunAsync(AuditHead? known, CancellationToken cancellationToken)
    {
        var head = await store.HeadAsync(cancellationToken);
        var (last, before, rows) = (0L, AuditForm.Origin, 0L);
        string? seen = null;
        var atHead = head.Id == 0 ? Convert.ToHexStringLower(before) : null;
        List<ChainedRow> page;
        do
        {
            page = await store.ChainAsync(last, PageSize, cancellationToken);
            foreach (var row in page)
            {
                Check(row, last, before);
                (last, before) = (row.Row.Id, row.Mac);
                seen = row.Row.Id == known?.Id ? Convert.ToHexStringLower(row.Mac) : seen;
                atHead = row.Row.Id == head.Id ? Convert.ToHexStringLower(row.Mac) : atHead;
            }

            rows += page.Count;
        }
        while (page.Count == PageSize);

        await CheckHeadAsync(head, last, atHead, cancellationToken);
        CheckKnown(known, last, seen);
        return new AuditCheck(rows, new AuditHead(last, Convert.ToHexStringLower(before)), _problems) { OfOtherKeys = _ofOtherKeys };
    }

    /// <summary>A server may write while the chain is walked: rows beyond the head that was read first have one of their own by now.</summary>
    private async Task CheckHeadAsync(AuditHead head, long last, string? atHead, CancellationToken cancellationToken)
    {
        if (last < head.Id)
        {
            Add($"rows {last + 1} to {head.Id} are missing at the end");
        }
        else if (atHead != head.Mac || (last > head.Id && last > (await store.HeadAsync(cancellationToken)).Id))
        {
            Add($"the stored head ({head.Id}) does not fit the last row ({last}): it was changed by something that does not know the key");
        }
    }

    private void Check(ChainedRow row, long last, byte[] before)
    {
        if (row.Row.Id != last + 1)
        {
            // The next row's mac cannot fit without them; saying so once is enough.
            Add($"rows {last + 1} to {row.Row.Id - 1} are missing");
        }
        else if (row.Form != AuditForm.Version)
        {
            Add($"row {row.Row.Id} has the form {row.Form}, which this version of the program does not know");
        }
        else if (keys.FirstOrDefault(k => k.Id == row.KeyId) is not { } key)
        {
            _ofOtherKeys++;
            AddUnless(PassesOverOtherKeys, $"row {row.Row.Id} was made with the key {row.KeyId}, which is not here; an earlier key is given with --old-key FILE");
        }
        else if (!CryptographicOperations.FixedTimeEquals(key.Mac(AuditForm.Canonical(row.Row, before)), row.Mac))
        {
            Add($"row {row.Row.Id} ({row.Row.Action}) was changed, or put there by something that does not know the key");
        }
    }

    private void CheckKnown(AuditHead? known, long last, string? seen)
    {
        if (known is null || known.Id == 0)
        {
            return;
        }

        if (known.Id > last)
        {
            Add($"the log was cut: it had {known.Id} rows when the given head was written, and ends at {last} now");
        }
        else if (seen != known.Mac)
        {
            Add($"row {known.Id} is not the one that the given head names: the log was rewritten");
        }
    }

    private void AddUnless(bool passedOver, FormattableString problem)
    {
        if (!passedOver)
        {
            Add(problem);
        }
    }

    private void Add(FormattableString problem)
    {
        if (_problems.Count < MostProblems)
        {
            _problems.Add(problem.ToString(CultureInfo.InvariantCulture));
        }
        else if (_problems.Count == MostProblems)
        {
            _problems.Add("and more");
        }
    }
}
