using System.Data;
using Dapper;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Platform.Data;

/// <summary>How Dapper reads and writes our column types. Process-wide, so it is done once and by whoever comes first.</summary>
internal static class DapperSetup
{
    static DapperSetup()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.RemoveTypeMap(typeof(DateTimeOffset));
        SqlMapper.RemoveTypeMap(typeof(DateTimeOffset?));
        SqlMapper.AddTypeHandler(new TimeHandler());
        SqlMapper.AddTypeHandler(new MoneyHandler());
    }

    /// <summary>Runs the static constructor.</summary>
    public static void Ensure()
    {
    }

    private sealed class TimeHandler : SqlMapper.TypeHandler<DateTimeOffset>
    {
        public override void SetValue(IDbDataParameter parameter, DateTimeOffset value) => parameter.Value = UnixTime.ToMicros(value);

        public override DateTimeOffset Parse(object value) => UnixTime.FromMicros((long)value);
    }

    private sealed class MoneyHandler : SqlMapper.TypeHandler<Money>
    {
        public override void SetValue(IDbDataParameter parameter, Money value) => parameter.Value = value.MicroUsd;

        public override Money Parse(object value) => new((long)value);
    }
}
