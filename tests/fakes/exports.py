"""Exports of every family, a few rows each, with what they become; all values are made up."""

from pathlib import Path
from typing import Any

from openalpha.books.imports.reading import ReadFile, read_export

BYBIT_UTA = (
    "UID: 7,Company Name: ,Country: \n"
    "Uid,Currency,Contract,Type,Direction,Quantity,Position,Filled Price,Funding,Fee Paid,"
    "Cash Flow,Change,Wallet Balance,Action,Time(UTC)\n"
)

# name, header and rows, family, and of each record: kind, label, time, moves, fees
CASES: list[tuple[str, str, str, list[tuple[str, str, str, str, str]]]] = [
    (
        "bybit spot of 2025: the fee in its own coin",
        "Spot Pairs,Order Type,Direction,feeCoin,ExecFeeV2,Filled Value,Filled Price,"
        "Filled Quantity,Fees,Transaction ID,Order No.,Timestamp (UTC)\n"
        "SOLUSDT,LIMIT,BUY,MNT,0.5,100,50,2,--,t3, o3,11:30 2026-01-11\n",
        "bybit spot trades",
        [("trade", "buy", "2026-01-11T11:30", "2 SOL, -100 USDT", "0.5 MNT")],
    ),
    (
        "bybit spot of 2024: the fee in what was received",
        "Uid,Spot Pairs,Order Type,Direction,Filled Value,Filled Price,Filled Quantity,Fees,"
        "Transaction ID,Order No.,Timestamp (UTC+8)\n"
        "7,ICPUSDT,MARKET,SELL,50,10,5,0.05,22, 53,14:35 2024-11-16\n"
        "7,ICPUSDT,LIMIT,BUY,80,8,10,0.01,23, 87,2024-11-15 03:18:05\n",
        "bybit spot trades",
        [
            ("trade", "sell", "2024-11-16T06:35", "-5 ICP, 50 USDT", "0.05 USDT"),
            ("trade", "buy", "2024-11-14T19:18:05", "10 ICP, -80 USDT", "0.01 ICP"),
        ],
    ),
    (
        "bybit derivatives: fills, funding without a fee coin, an unknown type",
        "Market,Filled Type,Filled Quantity,Filled Price,Order Price,Fee Rate,Trading Fee,feeCoin,"
        "ExecFeeV2,Direction,Order Type,Trasaction ID,Order No.,Transaction Time(UTC+0)\n"
        "BTCUSDT,Trade,2,100,100,0.0005,0.1,USDT,0.1,Long,Market, a1, o1,10:00 2026-01-10\n"
        "BTCUSDT,Funding,2,108,0,-0.0001,-0.05,,0,Long,--, f2, g2,16:00 2026-01-11\n"
        "BTCUSDT,Gift,2,108,0,0,0,,0,Long,--, f3, g3,16:00 2026-01-11\n",
        "bybit derivatives trades",
        [
            ("fill", "trade", "2026-01-10T10:00", "", "0.1 USDT"),
            ("contract", "funding", "2026-01-11T16:00", "0.05 USDT", ""),
            ("unknown", "", "", "", ""),
        ],
    ),
    (
        "bybit closed profit, the older header without an order number",
        "Contracts,Closing Direction,Qty,Entry Price,Exit Price,Closed P&L,Exit Type,"
        "Trade Time(UTC+0)\n"
        "OPUSDT,Close Long,793.7,0.6,0.6,2.5,Trade,2025-06-05 10:05:40\n"
        "OPUSDT,Close Long,10,0.6,0.1,-5,Liquidation,2025-06-06 10:05:40\n",
        "bybit closed pnl",
        [
            ("contract", "pnl", "2025-06-05T10:05:40", "2.5 USDT", ""),
            ("contract", "liquidation", "2025-06-06T10:05:40", "-5 USDT", ""),
        ],
    ),
    (
        "bybit unified account: a spot trade in two rows, funding, and a row that does not add up",
        BYBIT_UTA
        + "7,EUR,BTCEUR,TRADE,SELL,1.6,0,50000,0,-0.004,1.6,1.596,12,--,2026-06-05 08:22:50\n"
        "7,BTC,BTCEUR,TRADE,SELL,-0.000032,0,50000,0,0,-0.000032,-0.000032,0.1,--,"
        "2026-06-05 08:22:50\n"
        "7,ETH,ETHUSD,TRADE,SELL,500,0,3000,0,-0.00008,-0.03,-0.03008,0.4,CLOSE,"
        "2026-03-02 01:00:00\n"
        "7,ETH,ETHUSD,SETTLEMENT,BUY,--,2000,--,0.00004,0,0,0.00004,0.4,SETTLEMENT,"
        "2026-03-01 08:00:00\n"
        "7,ETH,,TRANSFER_IN,--,0,0,0,0,0,2,3,3,--,2026-03-01 07:00:00\n",
        "bybit unified changes",
        [
            ("trade", "sell", "2026-06-05T08:22:50", "-0.000032 BTC, 1.6 EUR", "0.004 EUR"),
            ("contract", "pnl", "2026-03-02T01:00", "-0.03 ETH", "0.00008 ETH"),
            ("contract", "funding", "2026-03-01T08:00", "0.00004 ETH", ""),
            ("unknown", "transfer_in", "2026-03-01T07:00", "3 ETH", ""),
        ],
    ),
    (
        "bybit unified account: a small conversion has no type; three rows are no pair",
        BYBIT_UTA + "7,USDT,,--,--,0,0,0,0,0,1.8,1.8,5,--,2026-03-02 01:10:01\n"
        "7,ETH,,--,--,0,0,0,0,0,-0.0006,-0.0006,0,--,2026-03-02 01:10:01\n"
        "7,BTC,,--,--,0,0,0,0,0,-0.0006,-0.0006,0,--,2026-03-02 01:10:09\n",
        "bybit unified changes",
        [
            ("trade", "sell", "2026-03-02T01:10:01", "-0.0006 ETH, 1.8 USDT", ""),
            ("leg", "conversion", "2026-03-02T01:10:09", "-0.0006 BTC", ""),
        ],
    ),
    (
        "bybit funding account",
        "Uid,Date & Time(UTC),Coin,QTY,Type,Account Balance,Description\n"
        "7,2026-03-02 01:35:01,USDT,-1300,Withdraw,0,Withdrawal\n"
        "7,2026-03-02 01:12:01,MNT,5.5E-7,Convert,0.00000055,Small Balance Conversion\n"
        "7,2026-03-02 01:12:00,SOL,-4E-9,Convert,0,Small Balance Conversion\n"
        "7,2026-03-02 01:00:30,BTC,0.002,Earn,0.002,Easy Earn | Flexible Redemption\n"
        "7,2026-03-02 01:00:30,BTC,1E-8,Earn,0.002,Easy Earn | Flexible Interest Distribution\n"
        "7,2026-06-05 07:26:43,BTC,0.0003,Fiat,0.0003,Buy Crypto with Card\n",
        "bybit funding changes",
        [
            ("withdrawal", "withdrawal", "2026-03-02T01:35:01", "-1300 USDT", ""),
            ("trade", "buy", "2026-03-02T01:12:01", "0.00000055 MNT, -0.000000004 SOL", ""),
            ("earn", "easy earn | flexible redemption", "2026-03-02T01:00:30", "0.002 BTC", ""),
            ("income", "interest", "2026-03-02T01:00:30", "0.00000001 BTC", ""),
            ("unknown", "buy crypto with card", "2026-06-05T07:26:43", "0.0003 BTC", ""),
        ],
    ),
    (
        "bybit deposits and withdrawals: what failed moved nothing",
        "Uid,Date,Type,Asset,Chain,Amount,Tx ID,Status,Received Address\n"
        "7,2026-03-02 01:40:00,Withdraw,USDT,TRX,25,--,Failed,T1\n"
        "7,2026-03-02 01:35:00,Withdraw,USDT,TRX,13,0xb,Transferred successfully,T1\n"
        "7,2026-03-01 10:00:00,Deposit,USDC,SOL,500,5Hq,Completed,9F\n",
        "bybit deposits and withdrawals",
        [
            ("void", "failed", "2026-03-02T01:40", "", ""),
            ("withdrawal", "withdraw", "2026-03-02T01:35", "-13 USDT", ""),
            ("deposit", "deposit", "2026-03-01T10:00", "500 USDC", ""),
        ],
    ),
    (
        "binance transaction history",
        "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n"
        "1,2025-01-15 10:00:00,Spot,Binance Convert,USDT,-100,\n"
        "1,2025-01-15 10:00:00,Spot,Binance Convert,BTC,0.002,\n"
        "1,2025-01-16 10:00:00,Spot,Transaction Buy,ETH,1,\n"
        "1,2025-01-16 10:00:00,Spot,Transaction Spend,USDT,-3000,\n"
        "1,2025-01-16 10:00:00,Spot,Transaction Fee,BNB,-0.005,\n"
        "1,2025-01-17 10:00:00,Spot,Deposit,BTC,0.5,\n"
        "1,2025-01-18 10:00:00,USD-M Futures,Funding Fee,USDT,-0.2,\n"
        "1,2025-01-19 10:00:00,Earn,Simple Earn Flexible Interest,BTC,0.00001,\n"
        "1,2025-01-20 10:00:00,Spot,Moon Rock,BTC,0.1,\n",
        "binance transaction history",
        [
            ("trade", "buy", "2025-01-15T10:00", "0.002 BTC, -100 USDT", ""),
            ("trade", "buy", "2025-01-16T10:00", "1 ETH, -3000 USDT", "0.005 BNB"),
            ("deposit", "deposit", "2025-01-17T10:00", "0.5 BTC", ""),
            ("contract", "funding", "2025-01-18T10:00", "-0.2 USDT", ""),
            ("income", "interest", "2025-01-19T10:00", "0.00001 BTC", ""),
            ("unknown", "moon rock", "2025-01-20T10:00", "0.1 BTC", ""),
        ],
    ),
    (
        "binance spot trades",
        "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n"
        "2022-03-28 13:01:36,SOLBUSD,SELL,110.03,0.18SOL,19.8054BUSD,0.0198054BUSD\n",
        "binance spot trades",
        [("trade", "sell", "2022-03-28T13:01:36", "-0.18 SOL, 19.8054 BUSD", "0.0198054 BUSD")],
    ),
    (
        "coinbase, with lines above its header and a spread in the total",
        "\nTransactions\nUser,Some One,0\n"
        "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,"
        "Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),"
        "Fees and/or Spread,Notes\n"
        "a,2025-03-01 12:00:00 UTC,Buy,BTC,0.1,AUD,A$84000,A$8400,A$8450,A$50,\n"
        "b,2025-06-15 12:00:00 UTC,Sell,BTC,-0.02,AUD,67500,1350,1338,10,\n"
        'c,2025-06-16 12:00:00 UTC,Convert,BTC,0.05,AUD,1,1,1,0,"Converted 0.05 BTC to 2.00 ETH"\n'
        "d,2025-06-17 12:00:00 UTC,Send,BTC,0.03,AUD,1,,,,\n"
        "e,2025-06-18 12:00:00 UTC,Staking Income,ETH,0.01,AUD,3200,32,32,0,\n",
        "coinbase transaction history",
        [
            ("trade", "buy", "2025-03-01T12:00", "0.1 BTC, -8400 AUD", "50 AUD"),
            ("trade", "sell", "2025-06-15T12:00", "-0.02 BTC, 1348 AUD", "10 AUD"),
            ("trade", "buy", "2025-06-16T12:00", "2 ETH, -0.05 BTC", ""),
            ("withdrawal", "send", "2025-06-17T12:00", "-0.03 BTC", ""),
            ("income", "staking", "2025-06-18T12:00", "0.01 ETH", ""),
        ],
    ),
    (
        "kraken ledgers",
        '"txid","refid","time","type","subtype","aclass","asset","wallet","amount","fee","balance"\n'
        '"L1","T1","2024-03-10 12:00:00","trade","","currency","XXBT","spot",-0.1,0,0.9\n'
        '"L2","T1","2024-03-10 12:00:00","trade","","currency","ZUSD","spot",6500,16.9,6483.1\n'
        '"","D1","2024-03-11 09:00:00","deposit","","currency","XETH","spot",5,0,""\n'
        '"L3","D1","2024-03-11 09:00:00","deposit","","currency","XETH","spot",5,0,5\n'
        '"L4","S1","2024-03-12 09:00:00","staking","","currency","DOT.S","spot",0.3,0,8\n',
        "kraken ledgers",
        [
            ("trade", "sell", "2024-03-10T12:00", "-0.1 BTC, 6500 USD", "16.9 USD"),
            ("void", "deposit", "2024-03-11T09:00", "", ""),
            ("deposit", "deposit", "2024-03-11T09:00", "5 ETH", ""),
            ("income", "staking", "2024-03-12T09:00", "0.3 DOT", ""),
        ],
    ),
    (
        "kraken trades",
        '"txid","ordertxid","pair","time","type","ordertype","price","cost","fee","vol","margin",'
        '"misc","ledgers"\n'
        '"T1","O1","XXBTZEUR","2023-06-19 13:34:05.4856","buy","limit",24300,50,0.13,0.002,0,"",\n',
        "kraken trades",
        [("trade", "buy", "2023-06-19T13:34:05.485", "0.002 BTC, -50 EUR", "0.13 EUR")],
    ),
    (
        "okx trading account, its zone above the header",
        "UID:0,Account Type:Main,Time Zone:UTC+8\n"
        "id,Order id,Time,Trade Type,Symbol,Action,Amount,Trading Unit,Filled Price,PnL,Fee,"
        "Fee Unit,Position Change,Position Balance,Balance Change,Balance,Balance Unit\n"
        "1,100,2025-11-29 08:25:29,Spot,BTC-USDT,Buy,0.01,BTC,90000,0,-0.00001,BTC,0,0,0.00999,"
        "0.00999,BTC\n"
        "2,100,2025-11-29 08:25:29,Spot,BTC-USDT,Sell,900,BTC,90000,0,0,USDT,0,0,-900,100,USDT\n"
        "3,200,2025-11-29 08:27:50,Transfer,,Transfer out,0,cont,0,0,0,BTC,0,0,-0.00999,0,BTC\n",
        "okx trading history",
        [
            ("trade", "buy", "2025-11-29T00:25:29", "0.01 BTC, -900 USDT", "0.00001 BTC"),
            ("internal", "transfer out", "2025-11-29T00:27:50", "-0.00999 BTC", ""),
        ],
    ),
    (
        "okx funding account",
        "UID:0,Account Type:Main,Time Zone:UTC+0\n"
        "id,Time,Type,Amount,Before Balance,After Balance,Symbol\n"
        "1,2025-06-01 09:00:00,Deposit,100,0,100,USDT\n"
        "2,2025-06-02 09:00:00,To unified trading account,-100,100,0,USDT\n",
        "okx funding history",
        [
            ("deposit", "deposit", "2025-06-01T09:00", "100 USDT", ""),
            ("internal", "to unified trading account", "2025-06-02T09:00", "-100 USDT", ""),
        ],
    ),
    (
        "kucoin orders: one without a fill moved nothing",
        "UID,Account Type,Order ID,Order Time(UTC),Symbol,Side,Order Type,Order Price,Order Amount,"
        "Avg. Filled Price,Filled Amount,Filled Volume,Filled Volume (USDT),Filled Time(UTC),Fee,"
        "Fee Currency,Tax,Status\n"
        "1,main,o1,2024-01-15 10:00:00,BTC-USDT,BUY,LIMIT,42000,0.5,42000,0.5,21000,21000,"
        "2024-01-15 10:00:00,10,USDT,,deal\n"
        "1,main,o2,2024-01-16 10:00:00,BTC-USDT,BUY,LIMIT,41000,1,0,0,0,0,,0,USDT,,cancelled\n",
        "kucoin orders",
        [
            ("trade", "buy", "2024-01-15T10:00", "0.5 BTC, -21000 USDT", "10 USDT"),
            ("void", "", "", "", ""),
        ],
    ),
    (
        "kucoin fills in another zone",
        "UID,Account Type,Order ID,Symbol,Side,Order Type,Avg. Filled Price,Filled Amount,"
        "Filled Volume,Filled Volume (USDT),Filled Time(UTC+08:00),Fee,Maker/Taker,Fee Currency\n"
        "1,main,o1,BTC-USDT,SELL,LIMIT,42000,0.5,21000,21000,2024-01-15 10:00:00,10,TAKER,USDT\n",
        "kucoin fills",
        [("trade", "sell", "2024-01-15T02:00", "-0.5 BTC, 21000 USDT", "10 USDT")],
    ),
    (
        "kucoin withdrawals",
        "UID,Account Type,Time(UTC),Coin,Amount,Fee,Hash,Withdrawal Address/Account,"
        "Transfer Network,Status,Remarks\n"
        "1,main,2024-01-15 10:00:00,BTC,0.5,0.001,h,a,BTC,SUCCESS,\n",
        "kucoin withdrawals",
        [("withdrawal", "success", "2024-01-15T10:00", "-0.5 BTC", "0.001 BTC")],
    ),
    (
        "kucoin deposits",
        "UID,Account Type,Time(UTC),Coin,Amount,Fee,Hash,Deposit Address,Transfer Network,Status,"
        "Remarks\n"
        "1,main,2024-01-15 10:00:00,BTC,0.5,0,h,a,BTC,SUCCESS,\n",
        "kucoin deposits",
        [("deposit", "success", "2024-01-15T10:00", "0.5 BTC", "")],
    ),
    (
        "kucoin conversions",
        "UID,Account Type,Payment Account,Sell,Buy,Price,Tax,Time of Update(UTC),Status\n"
        "1,main,main,100 USDT,0.002 BTC,1,,2024-01-15 10:00:00,Success\n",
        "kucoin conversions",
        [("trade", "buy", "2024-01-15T10:00", "0.002 BTC, -100 USDT", "")],
    ),
    (
        "btc markets transactions",
        "transactionId,creationTime,recordType,action,currency,amount,description,balance,"
        "referenceId\n"
        "1,2024-05-01T00:00:00Z,Trade,Buy Order,BTC,0.01,x,0.01,9\n"
        "2,2024-05-01T00:00:00Z,Trade,Buy Order,AUD,-1000,x,9000,9\n"
        "3,2024-05-01T00:00:00Z,Trade,Trading Fee,AUD,-8.5,x,8991.5,9\n"
        "4,2024-05-02T00:00:00Z,Fund Transfer,Withdraw,BTC,-0.01,x,0,10\n",
        "btc markets transactions",
        [
            ("trade", "buy", "2024-05-01T00:00", "0.01 BTC, -1000 AUD", "8.5 AUD"),
            ("withdrawal", "withdraw", "2024-05-02T00:00", "-0.01 BTC", ""),
        ],
    ),
    (
        "btc markets trades",
        "id,creationTime,price,volume,side,instrument,currency,market,fee(Inc tax),feeCurrency,"
        "feeInBaseCurrency(Inc tax),taxInBaseCurrency,orderId\n"
        "1,2024-05-01T00:00:00Z,100000,0.01,Ask,BTC,AUD,BTC-AUD,8.5,AUD,0,0,2\n",
        "btc markets trades",
        [("trade", "sell", "2024-05-01T00:00", "-0.01 BTC, 1000 AUD", "8.5 AUD")],
    ),
    (
        "swyftx: local times, amounts after fees, a line of layout",
        "Date,Time,Event,Asset,Amount,Currency,Value,Rate,AUD Value,Fee Amount,Fee Asset,UUID\n"
        "15/07/2024,10:00:00,buy,BTC,0.00994,AUD,1000,100000,1000,0.00006,BTC,u1\n"
        "16/01/2025,10:00:00,sell,BTC,0.005,AUD,596.4,120000,600,3.6,AUD,u2\n"
        ",,Sub total,,,,,,,,,\n"
        "17/01/2025,10:00:00,withdraw,BTC,0.004,,,,,,,u3\n",
        "swyftx transaction report",
        [
            ("trade", "buy", "2024-07-15T00:00", "0.01 BTC, -1000 AUD", "0.00006 BTC"),
            ("trade", "sell", "2025-01-15T23:00", "-0.005 BTC, 600 AUD", "3.6 AUD"),
            ("void", "", "", "", ""),
            ("withdrawal", "withdraw", "2025-01-16T23:00", "-0.004 BTC", ""),
        ],
    ),
    (
        "our own columns",
        "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount\n"
        "2025-07-01T09:00:00+10:00,buy,BTC,0.1,AUD,16000,AUD,16\n"
        "2025-07-02T09:00:00+10:00,trade,BTC,0.1,AUD,,,\n",
        "openalpha",
        [
            ("trade", "buy", "2025-06-30T23:00", "0.1 BTC, -16000 AUD", "16 AUD"),
            ("unknown", "", "2025-07-01T23:00", "", ""),
        ],
    ),
]


def read(folder: Path, text: str, **options: Any) -> ReadFile:
    path = folder / "export.csv"
    path.write_text(text, "utf-8")
    return read_export(path, **options)


def text_of(name: str) -> str:
    return next(text for known, text, *_ in CASES if known == name)
